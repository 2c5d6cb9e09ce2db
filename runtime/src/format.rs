//! How results are printed: a table for people, JSON and CSV for programs.

mod cell;
mod rows;

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, TableStyle};

pub use cell::{Cell, one_line};
pub use rows::Rows;

/// The most characters of a cell in a table of what others have written.
pub const TABLE_CELL: usize = 100;

/// The shape of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns.
    Table,
    /// One array of objects.
    Json,
    /// RFC 4180, with a header line.
    Csv,
}

/// Prints rows, or only the names of their columns where there are none (JSON: an empty array).
///
/// # Errors
/// The output cannot be written.
pub fn print(out: &mut impl Write, format: Format, rows: &Rows) -> io::Result<()> {
    match format {
        Format::Table => write!(out, "{}", table(rows)),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, rows)?;
            writeln!(out)
        }
        Format::Csv => csv(out, rows),
    }
}

/// The rows as aligned columns, with a line end after each.
pub fn table(rows: &Rows) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(rows.columns.iter().map(|column| column.to_uppercase()));
    for row in &rows.rows {
        table.add_row(row.iter().map(|cell| cell.short(rows.widest)));
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        if rows.rows.iter().any(|row| row[at].is_number()) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn csv(out: &mut impl Write, rows: &Rows) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(&rows.columns)?;
    for row in &rows.rows {
        csv.write_record(row.iter().map(Cell::field))?;
    }
    csv.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: Format, rows: Vec<Vec<Cell>>) -> String {
        let mut out = Vec::new();
        let rows = Rows { columns: vec!["name".into(), "count".into()], rows, widest: TABLE_CELL };
        print(&mut out, format, &rows).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn some() -> Vec<Vec<Cell>> {
        vec![
            vec![Cell::Text("a,\"b\"".into()), Cell::Integer(1)],
            vec![Cell::Text("c\u{1b}[2J\n".into()), Cell::Null],
        ]
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let text = printed(Format::Csv, some());
        assert_eq!(text, "name,count\n\"a,\"\"b\"\"\",1\n\"c\u{1b}[2J\n\",\n");
    }

    #[test]
    fn json_is_an_array_of_objects() {
        let rows: serde_json::Value = serde_json::from_str(&printed(Format::Json, some())).unwrap();
        assert_eq!(
            rows,
            serde_json::json!([
                {"name": "a,\"b\"", "count": 1},
                {"name": "c\u{1b}[2J\n", "count": null},
            ])
        );
    }

    #[test]
    fn a_table_has_a_head_and_a_line_per_row() {
        let text = printed(Format::Table, some());
        assert_eq!(text, " NAME          COUNT\n a,\"b\"             1\n c\\u{1b}[2J\\n      -\n");
    }

    #[test]
    fn without_rows_there_are_still_columns() {
        assert_eq!(printed(Format::Csv, vec![]), "name,count\n");
        assert_eq!(printed(Format::Json, vec![]), "[]\n");
        assert_eq!(printed(Format::Table, vec![]), " NAME  COUNT\n");
    }
}
