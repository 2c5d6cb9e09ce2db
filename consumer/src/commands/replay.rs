//! `audit-consumer replay`: reads the topic again into the database, beside the live stream.
//!
//! A replay is a stream of its own: it writes as `run` does, by the same rule about versions, so that it can only add
//! what is missing. What it is to read is fixed when it begins (`plan.rs`), where it stands is in the database, and it
//! ends when it has read that.

mod compare;
mod dry_run;
mod forget;
mod list;
mod name;
mod overview;
mod plan;
mod progress;
mod read;
mod reread;
mod selection;

use audit_runtime::exit::ExitCode;

/// Options of `replay`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    read: read::ReadOptions,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List replays: what they read, how far they are, whether somebody works on them
    List(list::Options),
    /// Remove the plan of a replay that is finished or given up; what it has stored and booked stays
    Forget(forget::Options),
}

impl Options {
    /// What keeps the replay from starting whatever the servers say.
    pub(super) fn check(&self) -> Vec<anyhow::Error> {
        if self.action.is_some() { Vec::new() } else { self.read.check() }
    }
}

/// Runs the action; without one, a replay, to its end or until SIGTERM or SIGINT.
///
/// # Errors
/// One line: what kept it from starting, or why it is not finished and how to go on.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    match options.action {
        None => read::run(options.read).await,
        Some(Action::List(options)) => list::run(options).await,
        Some(Action::Forget(options)) => forget::run(options).await,
    }
}
