//! `audit-consumer replay list`.

use std::io::{Write, stdout};
use std::time::Duration;

use audit_runtime::exit::ExitCode;
use audit_runtime::format::{Format, print};
use audit_schema::migrations::OLDEST_REPLAY_SCHEMA;

use super::overview;
use crate::database::{self, DatabaseOptions};

const TIMEOUT: Duration = Duration::from_secs(60);

/// Options of `replay list`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    database: DatabaseOptions,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let url = options.database.database_url.read_only(TIMEOUT);
    let (_, client) = database::connect_once(&url, 1).await?;
    database::check_schema(&client, OLDEST_REPLAY_SCHEMA).await?;
    let replays = overview::all(&client).await?;
    if replays.rows.is_empty() && options.format == Format::Table {
        writeln!(stdout(), "no replays")?;
    } else {
        print(&mut stdout().lock(), options.format, &replays)?;
    }
    Ok(ExitCode::Fine)
}
