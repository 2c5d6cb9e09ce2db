//! `audit-consumer migrate`: brings the database's schema up to date.

use std::io::Write;

use audit_runtime::exit::ExitCode;

use crate::database::{self, DatabaseOptions};
use crate::partitions::Months;

/// Options of `migrate`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    database: DatabaseOptions,
}

/// Applies what is missing, and makes the partitions of this month and the next ones.
///
/// # Errors
/// One line: no database, or the migration that failed.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (database, mut client) = database::connect_once(&options.database.database_url, 2).await?;
    let applied = database::migrate(&mut client).await?;
    drop(client);
    Months::default().make_all(&database).await?;
    let mut out = std::io::stdout().lock();
    for name in &applied {
        writeln!(out, "applied {name}")?;
    }
    if applied.is_empty() {
        writeln!(out, "the schema is up to date")?;
    }
    Ok(ExitCode::Fine)
}
