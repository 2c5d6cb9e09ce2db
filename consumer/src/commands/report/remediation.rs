//! `audit-consumer report remediation`.

use std::io::Write;

use anyhow::bail;
use audit_runtime::exit::ExitCode;
use audit_runtime::format::{Format, one_line, print};

use super::executions;
use super::session::SessionOptions;
use crate::commands::limit::Limit;

const BY_REMEDIATION: &str = "WHERE a.remediation_id = $1 ORDER BY a.created_at, a.id LIMIT $2";

/// Options of `report remediation`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The id of the remediation
    #[arg(value_name = "ID")]
    id: String,

    /// At most so many executions, or all
    #[arg(long, env = "AUDIT_LIMIT", default_value = "100", value_name = "N|all")]
    limit: Limit,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    session: SessionOptions,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let session = options.session.open().await?;
    let sql = executions::query(BY_REMEDIATION);
    let found = session.query(&sql, &[&options.id, &options.limit.rows()]).await?;
    if found.rows.is_empty() {
        bail!("no executions of remediation \"{}\"", one_line(&options.id));
    }
    let mut out = std::io::stdout().lock();
    match options.format {
        Format::Table => {
            write!(out, "{}", executions::pages(&found)?)?;
            let executions = found.rows.len();
            writeln!(std::io::stderr(), "executions: {executions}; asked for: {}", options.limit)?;
        }
        format => print(&mut out, format, &found)?,
    }
    Ok(ExitCode::Fine)
}
