//! `audit-consumer dlq list`.

use std::io::Write;

use audit_runtime::exit::ExitCode;
use audit_runtime::format::{Format, print};

use super::filter::{Filters, MATCHES};
use super::session::{self, failed};
use crate::commands::limit::Limit;
use crate::database::{self, DatabaseOptions};

/// Options of `dlq list`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Resolved ones as well
    #[arg(long, env = "AUDIT_ALL")]
    all: bool,

    /// Count them by cause instead, the most frequent first
    #[arg(long, env = "AUDIT_SUMMARY")]
    summary: bool,

    /// At most so many rows, or all
    #[arg(long, env = "AUDIT_LIMIT", default_value = "100", value_name = "N|all")]
    limit: Limit,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    filters: Filters,

    #[command(flatten)]
    database: DatabaseOptions,
}

/// The rows before, and what follows, the condition.
const LETTERS: [&str; 2] = [
    "SELECT topic, partition, \"offset\", date_trunc('second', first_seen) AS first_seen, attempts, \
     error_code AS code, error_text AS error, resolution FROM audit_dead_letter WHERE ",
    " ORDER BY audit_dead_letter.first_seen, topic, partition, \"offset\" LIMIT $7",
];
/// Any place will do as an example, but always the same.
const CAUSES: [&str; 2] = [
    "SELECT error_code AS code, count(*) AS count, date_trunc('second', min(first_seen)) AS first, \
     date_trunc('second', max(first_seen)) AS last, min(topic || ':' || partition || ':' || \"offset\") AS example \
     FROM audit_dead_letter WHERE ",
    " GROUP BY error_code ORDER BY count(*) DESC, error_code LIMIT $7",
];

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let criteria = options.filters.criteria(options.all)?;
    let (_, client) = session::open(&options.database.database_url, 1).await?;
    let [select, rest] = if options.summary { CAUSES } else { LETTERS };
    let limit = options.limit.rows();
    let mut parameters = criteria.parameters().to_vec();
    parameters.push(&limit);
    let letters = database::rows(&client, &format!("{select}{MATCHES}{rest}"), &parameters)
        .await
        .map_err(failed("read"))?;
    if letters.rows.is_empty() && options.format == Format::Table {
        let which = if options.filters.is_empty() { "" } else { " match" };
        let open = if options.all { "" } else { "open " };
        writeln!(std::io::stdout(), "no {open}dead letters{which}")?;
    } else {
        print(&mut std::io::stdout().lock(), options.format, &letters)?;
    }
    Ok(ExitCode::Fine)
}
