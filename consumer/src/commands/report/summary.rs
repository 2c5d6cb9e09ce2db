//! The five summaries: a function of the database each, of a window and a workflow.

use std::io::Write;

use audit_runtime::exit::ExitCode;
use audit_runtime::format::{Format, one_line, print};
use chrono::{SubsecRound, Utc};

use super::session::SessionOptions;
use super::window::WindowOptions;
use crate::commands::limit::Limit;

/// Options of each summary. Two defaults differ between them: see [`super::Report`].
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    window: WindowOptions,

    /// Only executions of the workflow of this name
    #[arg(long, env = "AUDIT_WORKFLOW", value_name = "NAME")]
    workflow: Option<String>,

    /// At most so many rows, or all
    #[arg(long, env = "AUDIT_LIMIT", default_value = "all", value_name = "N|all")]
    limit: Limit,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    session: SessionOptions,
}

impl Options {
    pub(super) async fn run(self, function: &str) -> anyhow::Result<ExitCode> {
        let window = self.window.at(Utc::now().trunc_subsecs(0))?;
        let session = self.session.open().await?;
        let sql = format!("SELECT * FROM {function}($1, $2, $3) LIMIT $4");
        let rows = session
            .query(&sql, &[&window.since, &window.until(), &self.workflow, &self.limit.rows()])
            .await?;
        print(&mut std::io::stdout().lock(), self.format, &rows)?;
        if self.format == Format::Table {
            let workflow = self.workflow.as_deref().map(one_line);
            let of = workflow.map_or_else(String::new, |name| format!(" of workflow {name}"));
            let none = if rows.rows.is_empty() { "none: " } else { "" };
            writeln!(
                std::io::stderr(),
                "{none}executions{of} created {window}; rows: {}",
                self.limit
            )?;
        }
        Ok(ExitCode::Fine)
    }
}
