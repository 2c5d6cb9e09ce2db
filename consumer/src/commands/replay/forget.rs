//! `audit-consumer replay forget`.

use std::io::{Write, stdout};

use anyhow::{anyhow, bail};
use audit_runtime::exit::ExitCode;
use audit_schema::migrations::OLDEST_REPLAY_SCHEMA;
use tokio_postgres::error::SqlState;

use super::name::Name;
use super::overview;
use crate::database::{self, DatabaseOptions, describe};

/// Options of `replay forget`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Which one, as `replay list` names it
    #[arg(value_name = "NAME")]
    name: Name,

    #[command(flatten)]
    database: DatabaseOptions,
}

/// Removes the plan only. The ledger of what the replay has stored is needed for the sums over all streams, and its
/// positions are what the ledger belongs to.
pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (_, client) = database::connect_once(&options.database.database_url, 1).await?;
    database::check_schema(&client, OLDEST_REPLAY_SCHEMA).await?;
    let name = options.name.as_str();
    match overview::is_running(&client, name).await? {
        None => bail!("there is no replay {name}; `replay list` shows those there are"),
        Some(true) => bail!("somebody is working on the replay {name}: stop that process first"),
        Some(false) => {}
    }
    let sql = "DELETE FROM audit_replay WHERE name = $1";
    client.execute(sql, &[&name]).await.map_err(|error| match error.code() {
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => anyhow!(
            "this database user may not forget replays: use a member of audit_migrator (docs/database-roles.md)"
        ),
        _ => anyhow!("cannot forget the replay: {}", describe(&error)),
    })?;
    writeln!(stdout(), "forgot the replay {name}; what it has stored and booked stays")?;
    Ok(ExitCode::Fine)
}
