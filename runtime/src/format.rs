//! How results are printed: a table for people, JSON and CSV for programs.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, TableStyle};
use serde::Serialize;
use serde_json::Value;

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

/// Prints rows; the fields' names are the columns.
///
/// # Errors
/// The output cannot be written.
pub fn print<T: Serialize>(out: &mut impl Write, format: Format, rows: &[T]) -> io::Result<()> {
    let rows: Vec<Value> = rows.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    if format == Format::Json {
        serde_json::to_writer_pretty(&mut *out, &rows)?;
        return writeln!(out);
    }
    let columns: Vec<&String> =
        rows.first().and_then(Value::as_object).into_iter().flat_map(|row| row.keys()).collect();
    let cells = |row: &Value| columns.iter().map(|column| cell(&row[*column])).collect::<Vec<_>>();
    if format == Format::Csv {
        writeln!(
            out,
            "{}",
            columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(",")
        )?;
        for row in &rows {
            writeln!(
                out,
                "{}",
                cells(row).iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",")
            )?;
        }
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|column| column.to_uppercase()));
    for row in &rows {
        table.add_row(cells(row));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Line {
        name: &'static str,
        count: Option<i32>,
    }

    fn printed(format: Format) -> String {
        let mut out = Vec::new();
        let lines = [Line { name: "a,\"b\"", count: Some(1) }, Line { name: "c", count: None }];
        print(&mut out, format, &lines).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        assert_eq!(printed(Format::Csv), "name,count\n\"a,\"\"b\"\"\",1\nc,\n");
    }

    #[test]
    fn json_is_an_array_of_objects() {
        let rows: Value = serde_json::from_str(&printed(Format::Json)).unwrap();
        assert_eq!(rows[0]["count"], 1);
        assert_eq!(rows[1]["count"], Value::Null);
    }

    #[test]
    fn a_table_has_a_head_and_a_line_per_row() {
        assert_eq!(printed(Format::Table).lines().count(), 3);
    }
}
