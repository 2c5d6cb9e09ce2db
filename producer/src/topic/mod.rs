//! `audit-producer topic`: the topic as the promises need it.

mod check;
pub(crate) mod cluster;
mod create;

use audit_runtime::exit::ExitCode;

/// Commands about the topic.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create the topic with every setting it needs; check it if it is there already
    Create(create::Options),
    /// Compare the topic with what it has to be; exit code 3 if something differs
    Check(check::Options),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(options) => create::run(&options).await,
        Command::Check(options) => check::run(&options).await,
    }
}
