//! `audit-consumer report`: reads what was stored.
//!
//! The five summaries are functions of the database, so that psql and this command answer alike; what is asked about
//! single executions is in `executions.rs`. A report is one statement, and so sees one state of the database.

mod execution;
mod executions;
mod remediation;
mod session;
mod summary;
mod window;

use audit_runtime::exit::ExitCode;

/// Options of `report`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    report: Report,
}

#[derive(Debug, clap::Subcommand)]
enum Report {
    /// List workflows that succeeded, the most effective first
    #[command(mut_arg("since", |arg| arg.default_value("30d")), mut_arg("limit", |arg| arg.default_value("10")))]
    EffectiveWorkflows(summary::Options),
    /// List workflows that failed, the most failures first
    NeedsOptimization(summary::Options),
    /// List steps by their average duration, the slowest first
    #[command(mut_arg("limit", |arg| arg.default_value("20")))]
    SlowSteps(summary::Options),
    /// List steps that had to be tried again, the most retries first
    RetryPatterns(summary::Options),
    /// List how workflows were adjusted while they ran, the most frequent first
    #[command(mut_arg("since", |arg| arg.default_value("30d")))]
    Adjustments(summary::Options),
    /// Show one execution: all of its columns, its steps, where it came from and what else was seen for its id
    Execution(execution::Options),
    /// Show the executions of a remediation, oldest first
    Remediation(remediation::Options),
}

/// Prints the report.
///
/// # Errors
/// One line: no database, a schema without reports, a window that ends before it begins, an id that names nothing.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    match options.report {
        Report::EffectiveWorkflows(options) => options.run("audit_effective_workflows").await,
        Report::NeedsOptimization(options) => options.run("audit_needs_optimization").await,
        Report::SlowSteps(options) => options.run("audit_slow_steps").await,
        Report::RetryPatterns(options) => options.run("audit_retry_patterns").await,
        Report::Adjustments(options) => options.run("audit_adjustments").await,
        Report::Execution(options) => execution::run(options).await,
        Report::Remediation(options) => remediation::run(options).await,
    }
}
