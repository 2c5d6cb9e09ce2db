//! Rows, whatever their columns are.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::Cell;

/// Columns and rows of a result; each row has a cell per column.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The columns' names, in their order.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// The most characters of a cell in a table; JSON and CSV always have all of it.
    pub widest: usize,
}

impl Rows {
    /// The fields of structures as columns, by their names.
    ///
    /// # Errors
    /// A structure cannot be JSON.
    pub fn of<T: Serialize>(records: &[T]) -> serde_json::Result<Self> {
        let mut all = Self { columns: Vec::new(), rows: Vec::new(), widest: usize::MAX };
        for record in records {
            let Value::Object(fields) = serde_json::to_value(record)? else { continue };
            if all.columns.is_empty() {
                all.columns = fields.keys().cloned().collect();
            }
            all.rows.push(fields.values().map(Cell::from).collect());
        }
        Ok(all)
    }

    /// Each row as pairs of column and cell.
    pub fn objects(&self) -> impl Iterator<Item = impl Iterator<Item = (&str, &Cell)>> {
        self.rows.iter().map(|row| self.columns.iter().map(String::as_str).zip(row))
    }
}

/// An array of objects, their members in the order of the columns.
impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| Object { columns: &self.columns, row }))
    }
}

struct Object<'a> {
    columns: &'a [String],
    row: &'a [Cell],
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.columns.iter().zip(self.row))
    }
}
