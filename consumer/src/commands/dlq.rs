//! `audit-consumer dlq`: looks at dead letters, and decides what becomes of them.

mod discard;
mod excerpt;
mod export;
mod filter;
mod letter;
mod list;
mod retry;
mod selection;
mod session;
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
    /// List dead letters, newest last, or count them by cause
    List(list::Options),
    /// Show one dead letter, whole, and where in its bytes the error is
    Show(show::Options),
    /// Try open dead letters again; exit code 3 if some are still dead
    Retry(retry::Options),
    /// Mark open dead letters as given up, with the reason; they are kept
    Discard(discard::Options),
    /// Write dead letters with their bytes, one JSON object a line
    Export(export::Options),
}

/// Runs the action.
///
/// # Errors
/// One line: no database, no such dead letter, one that is resolved already, a right that is missing.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    match options.action {
        Action::List(options) => list::run(options).await,
        Action::Show(options) => show::run(options).await,
        Action::Retry(options) => retry::run(options).await,
        Action::Discard(options) => discard::run(options).await,
        Action::Export(options) => export::run(options).await,
    }
}
