//! `audit-consumer report execution`.

use std::io::Write;

use anyhow::bail;
use audit_runtime::exit::ExitCode;
use audit_runtime::format::{Format, print};
use uuid::Uuid;

use super::executions;
use super::session::{Session, SessionOptions};

/// Finds the partition first: by the time the id carries, or by the register of the ids that carry none.
const BY_ID: &str = "WHERE a.id = $1 AND a.created_at = \
    coalesce(audit_id_time($1), (SELECT i.created_at FROM audit_id i WHERE i.id = $1))";

/// Options of `report execution`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The id of the execution
    #[arg(value_name = "ID", value_parser = parse_id)]
    id: Uuid,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    session: SessionOptions,
}

fn parse_id(text: &str) -> Result<Uuid, &'static str> {
    audit_schema::identity::parse(text)
        .ok_or("write a UUID such as 01946983-4cbb-8a0d-966a-251a971e4ba9")
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let session = options.session.open().await?;
    let found = session.query(&executions::query(BY_ID), &[&options.id]).await?;
    if found.rows.is_empty() {
        bail!("no execution {}{}", options.id, dead_letters(&session, options.id).await?);
    }
    let mut out = std::io::stdout().lock();
    match options.format {
        Format::Table => write!(out, "{}", executions::pages(&found)?)?,
        format => print(&mut out, format, &found)?,
    }
    Ok(ExitCode::Fine)
}

/// Where to look instead, if records of the id were refused.
async fn dead_letters(session: &Session, id: Uuid) -> anyhow::Result<String> {
    let sql = "SELECT topic || ':' || partition || ':' || \"offset\" FROM audit_dead_letter \
               WHERE key = convert_to($1::uuid::text, 'UTF8') ORDER BY record_timestamp DESC LIMIT 1";
    let newest = session.query(sql, &[&id]).await?;
    let place = newest.rows.first().and_then(|row| row.first());
    Ok(place.map_or_else(String::new, |place| {
        format!("; a record of it is a dead letter: `audit-consumer dlq show {}`", place.line())
    }))
}
