//! `audit-consumer dlq retry`.

mod attempt;

use std::io::Write;
use std::pin::pin;

use audit_runtime::exit::ExitCode;
use audit_runtime::format::{Format, Rows, TABLE_CELL, print};
use futures_util::TryStreamExt as _;

use self::attempt::{Attempt, Outcome};
use super::letter;
use super::selection::Selection;
use super::session::{self, failed};
use crate::database::{DatabaseOptions, check_rights};

/// One reads what is to be tried, one writes, one makes the months that are missing.
const CONNECTIONS: usize = 3;

/// Options of `dlq retry`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Say what would become of each, and change nothing
    #[arg(long, env = "AUDIT_DRY_RUN")]
    dry_run: bool,

    /// Who has them tried again, if not the database user; is kept with those that are stored
    #[arg(long, env = "AUDIT_BY", value_name = "WHO")]
    by: Option<String>,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    selection: Selection,

    #[command(flatten)]
    database: DatabaseOptions,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let criteria = options.selection.criteria()?;
    let url = &options.database.database_url;
    let (database, reader) = session::open(url, CONNECTIONS).await?;
    check_rights(&reader).await?;
    options.selection.check_places(&reader).await?;
    // The reader waits for the writer, and for all of it.
    reader.batch_execute("SET statement_timeout = 0").await.map_err(failed("read"))?;
    let mut letters = pin!(letter::read(&reader, &criteria).await.map_err(failed("read"))?);
    let mut attempt = Attempt::new(database, options.by, options.dry_run)?;
    let tried = async {
        while let Some(letter) = letters.try_next().await.map_err(failed("read"))? {
            attempt.add(&letter).await?;
        }
        attempt.finish().await
    };
    let result = tried.await;
    let outcomes = attempt.into_outcomes();
    report(&outcomes, options.format, options.dry_run)?;
    result?;
    let dead = outcomes.iter().any(Outcome::is_dead);
    Ok(if dead { ExitCode::ProblemsFound } else { ExitCode::Fine })
}

fn report(outcomes: &[Outcome], format: Format, dry_run: bool) -> anyhow::Result<()> {
    let mut rows = Rows::of(outcomes)?;
    rows.widest = TABLE_CELL;
    if rows.columns.is_empty() {
        rows.columns = Outcome::COLUMNS.map(str::to_owned).to_vec();
    }
    print(&mut std::io::stdout().lock(), format, &rows)?;
    let dead = outcomes.iter().filter(|outcome| outcome.is_dead()).count();
    let tried = if dry_run { "would be tried" } else { "tried" };
    writeln!(std::io::stderr(), "dead letters {tried}: {}, still dead: {dead}", outcomes.len())?;
    Ok(())
}
