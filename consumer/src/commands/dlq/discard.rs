//! `audit-consumer dlq discard`.

use std::io::Write;

use audit_runtime::exit::{ExitCode, UsageError};
use audit_runtime::format::{Format, print};
use tokio_postgres::error::SqlState;

use super::filter::MATCHES;
use super::selection::Selection;
use super::session::{self, failed};
use crate::database::{self, DatabaseOptions};

/// Options of `dlq discard`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Why they are given up; is kept with them
    #[arg(long, env = "AUDIT_REASON", value_name = "TEXT")]
    reason: String,

    /// Who gives them up, if not the database user; is kept with them
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

/// The writer may not: whoever has its password could hide what it did. The owner may, and who can become it.
const BECOME_OWNER: &str = "SELECT set_config('role', 'audit_owner', false) \
    FROM pg_roles WHERE rolname = 'audit_owner' AND pg_has_role(oid, 'MEMBER')";

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let criteria = options.selection.criteria()?;
    let reason = options.reason.trim();
    if reason.is_empty() {
        return Err(UsageError("--reason must say why the dead letters are given up".into()).into());
    }
    let (_, client) = session::open(&options.database.database_url, 1).await?;
    options.selection.check_places(&client).await?;
    client.query(BECOME_OWNER, &[]).await.map_err(failed("discard"))?;
    // Locked in the order that is everybody's.
    let sql = format!(
        "WITH chosen AS ( \
             SELECT topic, partition, \"offset\", record_timestamp FROM audit_dead_letter WHERE {MATCHES} \
             ORDER BY topic, partition, \"offset\", record_timestamp FOR UPDATE \
         ), discarded AS ( \
             UPDATE audit_dead_letter d SET resolution = 'discarded', resolved_at = now(), \
                 resolved_by = coalesce($7, session_user), resolution_reason = $8 \
             FROM chosen c WHERE d.topic = c.topic AND d.partition = c.partition AND d.\"offset\" = c.\"offset\" \
                 AND d.record_timestamp = c.record_timestamp AND d.resolution IS NULL \
             RETURNING d.topic, d.partition, d.\"offset\", d.error_code AS code, d.error_text AS error \
         ) SELECT * FROM discarded ORDER BY topic, partition, \"offset\""
    );
    let mut parameters = criteria.parameters().to_vec();
    parameters.push(&options.by);
    parameters.push(&reason);
    let discarded = database::rows(&client, &sql, &parameters).await.map_err(|error| {
        if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
            anyhow::anyhow!(
                "the database user may not discard dead letters; use a member of audit_migrator (docs/database-roles.md)"
            )
        } else {
            failed("discard")(error)
        }
    })?;
    print(&mut std::io::stdout().lock(), options.format, &discarded)?;
    writeln!(std::io::stderr(), "dead letters discarded: {}", discarded.rows.len())?;
    Ok(ExitCode::Fine)
}
