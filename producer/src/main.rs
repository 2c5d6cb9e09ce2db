//! `audit-producer`: picks the command.

mod brokers;
mod controller;
mod gateway;
mod import;
mod publishing;
mod topic;

use audit_runtime::config::Check;
use audit_runtime::exit::ExitCode;
use audit_runtime::{config, exit, healthcheck, logging};
use clap::{Parser, Subcommand};

/// Publishes one audit event per finished workflow to Kafka.
///
/// Every option is also an environment variable and a key of the TOML file that --config names; the command line
/// wins over the environment, the environment over the file.
#[derive(Debug, Parser)]
#[command(name = "audit-producer", version, max_term_width = 120, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    log: logging::LogOptions,

    #[command(subcommand)]
    command: Command,
}

impl Check for Cli {
    fn check(&self) -> Vec<anyhow::Error> {
        match &self.command {
            Command::Gateway(options) => options.check(),
            Command::Controller(options) => options.check(),
            Command::Publish(options) => options.check(),
            _ => Vec::new(),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take events over HTTP and publish them
    Gateway(Box<gateway::Options>),
    /// Publish WorkflowExecution resources as they finish
    Controller(Box<controller::Options>),
    /// Publish events from a file or standard input, one JSON object a line
    Publish(import::Options),
    /// Create and check the topic of the events
    #[command(subcommand)]
    Topic(topic::Command),
    /// Ask whether the gateway on this machine is ready
    Healthcheck(healthcheck::Options),
}

fn main() -> std::process::ExitCode {
    let cli: Cli = config::parse();
    exit::run(run(cli))
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    logging::init(&cli.log)?;
    config::warn_of_misspelt_variables::<Cli>();
    match cli.command {
        Command::Gateway(options) => gateway::run(*options).await,
        Command::Controller(options) => controller::run(*options).await,
        Command::Publish(options) => import::run(options).await,
        Command::Topic(command) => topic::run(command).await,
        Command::Healthcheck(options) => healthcheck::run(options).await,
    }
}
