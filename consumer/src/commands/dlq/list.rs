//! `audit-consumer dlq list`.

use std::io::Write;

use audit_runtime::exit::ExitCode;
use audit_runtime::format::{Format, print};

use crate::commands::limit::Limit;
use crate::database::{self, DatabaseOptions, describe};

/// Options of `dlq list`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Resolved ones as well
    #[arg(long, env = "AUDIT_ALL")]
    all: bool,

    /// At most so many rows, or all
    #[arg(long, env = "AUDIT_LIMIT", default_value = "100", value_name = "N|all")]
    limit: Limit,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    database: DatabaseOptions,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (_, client) = database::connect_once(&options.database.database_url, 1).await?;
    let sql = "SELECT topic, partition, \"offset\", date_trunc('second', first_seen) AS first_seen, attempts, \
               error_code AS code, error_text AS error, resolution \
               FROM audit_dead_letter WHERE $1 OR resolution IS NULL \
               ORDER BY audit_dead_letter.first_seen, topic, partition, \"offset\" LIMIT $2";
    let letters = database::rows(&client, sql, &[&options.all, &options.limit.rows()])
        .await
        .map_err(|error| anyhow::anyhow!("cannot read dead letters: {}", describe(&error)))?;
    if letters.rows.is_empty() && options.format == Format::Table {
        writeln!(std::io::stdout(), "no {}dead letters", if options.all { "" } else { "open " })?;
    } else {
        print(&mut std::io::stdout().lock(), options.format, &letters)?;
    }
    Ok(ExitCode::Fine)
}
