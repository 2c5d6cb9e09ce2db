//! `audit-consumer dlq show`.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::bail;
use audit_runtime::exit::ExitCode;
use audit_runtime::format::Format;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::database::{self, DatabaseOptions, describe};

/// Options of `dlq show`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Which one, as `dlq list` names it
    #[arg(value_name = "TOPIC:PARTITION:OFFSET")]
    place: Place,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    database: DatabaseOptions,
}

#[derive(Debug, Clone)]
struct Place {
    topic: String,
    partition: i32,
    offset: i64,
}

impl std::str::FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (rest, offset) = text.rsplit_once(':')?;
            let (topic, partition) = rest.rsplit_once(':')?;
            Some(Self {
                topic: topic.to_owned(),
                partition: partition.parse().ok()?,
                offset: offset.parse().ok()?,
            })
        };
        parse().ok_or("write topic:partition:offset, such as audit:3:1200")
    }
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (_, client) = database::connect_once(&options.database.database_url, 1).await?;
    let place = &options.place;
    let sql = "SELECT record_timestamp, error_code, error_text, first_seen, last_seen, attempts, resolution, \
               resolved_at, resolved_by, resolution_reason, key, value, header_names, header_values \
               FROM audit_dead_letter WHERE topic = $1 AND partition = $2 AND \"offset\" = $3 ORDER BY record_timestamp";
    let rows = client
        .query(sql, &[&place.topic, &place.partition, &place.offset])
        .await
        .map_err(|error| anyhow::anyhow!("cannot read the dead letter: {}", describe(&error)))?;
    if rows.is_empty() {
        bail!(
            "no dead letter at {}:{}:{}; `audit-consumer dlq list --all` shows those there are",
            place.topic,
            place.partition,
            place.offset
        );
    }
    let mut out = std::io::stdout().lock();
    for row in &rows {
        let letter = letter(place, row);
        if options.format == Format::Json {
            serde_json::to_writer_pretty(&mut out, &letter)?;
            writeln!(out)?;
        } else {
            let value: Option<&[u8]> = row.get(11);
            write!(out, "{}", page(&letter, value))?;
        }
    }
    Ok(ExitCode::Fine)
}

fn letter(place: &Place, row: &tokio_postgres::Row) -> Value {
    let time = |at: usize| {
        row.get::<_, Option<DateTime<Utc>>>(at)
            .map(|t| t.to_rfc3339_opts(SecondsFormat::Millis, true))
    };
    let names: Vec<Vec<u8>> = row.get(12);
    let values: Vec<Option<Vec<u8>>> = row.get(13);
    let headers: Vec<Value> = names
        .iter()
        .zip(&values)
        .map(|(name, value)| json!({"name": readable(name), "value": value.as_deref().map(readable)}))
        .collect();
    json!({
        "topic": place.topic,
        "partition": place.partition,
        "offset": place.offset,
        "record_timestamp": time(0),
        "code": row.get::<_, String>(1),
        "error": row.get::<_, String>(2),
        "first_seen": time(3),
        "last_seen": time(4),
        "attempts": row.get::<_, i32>(5),
        "resolution": row.get::<_, Option<String>>(6),
        "resolved_at": time(7),
        "resolved_by": row.get::<_, Option<String>>(8),
        "resolution_reason": row.get::<_, Option<String>>(9),
        "key": row.get::<_, Option<&[u8]>>(10).map(readable),
        "headers": headers,
        "value": row.get::<_, Option<&[u8]>>(11).map(readable),
    })
}

/// Text as it is; bytes that are not UTF-8 and control characters as escapes.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() && !matches!(c, '\n' | '\t') {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\x{:02x}", u32::from(c));
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

fn page(letter: &Value, value: Option<&[u8]>) -> String {
    let mut page = String::new();
    for (name, field) in letter.as_object().into_iter().flatten() {
        let text = match field {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Array(headers) => headers
                .iter()
                .map(|header| {
                    let part = |key: &str| header[key].as_str().unwrap_or("(null)").to_owned();
                    format!("\n  {}: {}", part("name"), part("value"))
                })
                .collect(),
            other => other.to_string(),
        };
        let _ = writeln!(page, "{name}: {text}");
    }
    let _ = writeln!(
        page,
        "value_bytes: {}",
        value.map_or_else(|| "none (tombstone)".to_owned(), |v| v.len().to_string())
    );
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_readably_and_whole() {
        assert_eq!(readable(b"a\xff\0\nb"), "a\\xff\\x00\nb");
        assert_eq!(readable("ä".as_bytes()), "ä");
    }
}
