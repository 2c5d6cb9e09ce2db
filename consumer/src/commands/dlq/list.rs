//! `audit-consumer dlq list`.

use std::io::Write;

use audit_runtime::exit::ExitCode;
use audit_runtime::format::{Format, print};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::database::{self, DatabaseOptions, describe};

/// Options of `dlq list`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Resolved ones as well
    #[arg(long)]
    all: bool,

    /// At most so many
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: u32,

    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    database: DatabaseOptions,
}

#[derive(Serialize)]
struct Letter {
    topic: String,
    partition: i32,
    offset: i64,
    first_seen: String,
    attempts: i32,
    code: String,
    error: String,
    resolution: Option<String>,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (_, client) = database::connect_once(&options.database.database_url, 1).await?;
    let sql = "SELECT topic, partition, \"offset\", first_seen, attempts, error_code, error_text, resolution \
               FROM audit_dead_letter WHERE $1 OR resolution IS NULL \
               ORDER BY first_seen, topic, partition, \"offset\" LIMIT $2";
    let rows = client
        .query(sql, &[&options.all, &i64::from(options.limit)])
        .await
        .map_err(|error| anyhow::anyhow!("cannot read dead letters: {}", describe(&error)))?;
    let letters: Vec<Letter> = rows
        .iter()
        .map(|row| Letter {
            topic: row.get(0),
            partition: row.get(1),
            offset: row.get(2),
            first_seen: row.get::<_, DateTime<Utc>>(3).to_rfc3339_opts(SecondsFormat::Secs, true),
            attempts: row.get(4),
            code: row.get(5),
            error: row.get(6),
            resolution: row.get(7),
        })
        .collect();
    if letters.is_empty() && options.format == Format::Table {
        writeln!(std::io::stdout(), "no {}dead letters", if options.all { "" } else { "open " })?;
    } else {
        print(&mut std::io::stdout().lock(), options.format, &letters)?;
    }
    Ok(ExitCode::Fine)
}
