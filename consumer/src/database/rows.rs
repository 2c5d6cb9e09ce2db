//! The rows of a statement as what is printed, whatever its columns are.

use std::error::Error;

use audit_runtime::format::{Cell, Rows, TABLE_CELL};
use chrono::{DateTime, SecondsFormat, Utc};
use postgres_types::{FromSql, Json, ToSql, Type};
use tokio_postgres::Client;
use uuid::Uuid;

/// Runs a statement; its columns are known even if it finds nothing.
///
/// # Errors
/// The statement fails, or has a column of a type that is not expected in a result.
pub async fn rows(
    client: &Client,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Rows, tokio_postgres::Error> {
    let statement = client.prepare(sql).await?;
    let columns = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let cell = |row: &tokio_postgres::Row, at| row.try_get(at).map(|Read(cell)| cell);
    let cells = |row: &tokio_postgres::Row| (0..row.len()).map(|at| cell(row, at)).collect();
    let found = client.query(&statement, parameters).await?;
    let rows = found.iter().map(cells).collect::<Result<_, _>>()?;
    Ok(Rows { columns, rows, widest: TABLE_CELL })
}

/// A cell that was read.
struct Read(Cell);

impl<'a> FromSql<'a> for Read {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(match *kind {
            Type::INT4 => Cell::Integer(i32::from_sql(kind, raw)?.into()),
            Type::INT8 => Cell::Integer(i64::from_sql(kind, raw)?),
            Type::FLOAT8 => Cell::Float(f64::from_sql(kind, raw)?),
            Type::UUID => Cell::Text(Uuid::from_sql(kind, raw)?.to_string()),
            Type::TIMESTAMPTZ => {
                let time = DateTime::<Utc>::from_sql(kind, raw)?;
                Cell::Text(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
            Type::TEXT_ARRAY => Cell::Texts(Vec::from_sql(kind, raw)?),
            Type::JSON | Type::JSONB => Cell::Json(Json::from_sql(kind, raw)?.0),
            _ => Cell::Text(String::from_sql(kind, raw)?),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Cell::Null))
    }

    fn accepts(kind: &Type) -> bool {
        matches!(
            *kind,
            Type::INT4
                | Type::INT8
                | Type::FLOAT8
                | Type::UUID
                | Type::TIMESTAMPTZ
                | Type::TEXT_ARRAY
                | Type::JSON
                | Type::JSONB
                | Type::TEXT
                | Type::VARCHAR
        )
    }
}
