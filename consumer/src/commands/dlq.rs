//! `audit-consumer dlq`: looks at dead letters.

mod list;
mod show;

use audit_runtime::exit::ExitCode;

/// Options of `dlq`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List dead letters, newest last
    List(list::Options),
    /// Show one dead letter, whole
    Show(show::Options),
}

/// Runs the action.
///
/// # Errors
/// One line: no database, or no such dead letter.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    match options.action {
        Action::List(options) => list::run(options).await,
        Action::Show(options) => show::run(options).await,
    }
}
