//! `audit-producer`: picks the command.

mod gateway;
mod import;
mod publishing;
mod topic;

use audit_runtime::exit::ExitCode;
use audit_runtime::{config, exit, logging};
use clap::{Parser, Subcommand};

/// Publishes one audit event per finished workflow to Kafka
#[derive(Debug, Parser)]
#[command(name = "audit-producer", version, max_term_width = 120)]
struct Cli {
    #[command(flatten)]
    log: logging::LogOptions,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Takes events over HTTP and publishes them
    Gateway(gateway::Options),
    /// Publishes events from a file or standard input, one JSON object a line
    Publish(import::Options),
    /// Creates and checks the topic of the events
    #[command(subcommand)]
    Topic(topic::Command),
}

fn main() -> std::process::ExitCode {
    let cli: Cli = config::parse();
    exit::run(run(cli))
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    logging::init(&cli.log)?;
    match cli.command {
        Command::Gateway(options) => gateway::run(options).await,
        Command::Publish(options) => import::run(options).await,
        Command::Topic(command) => topic::run(command).await,
    }
}
