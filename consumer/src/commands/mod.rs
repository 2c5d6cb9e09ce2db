//! One file per subcommand, each with its own options.

pub mod dlq;
pub mod migrate;
pub mod run;

use audit_runtime::format;
use audit_runtime::logging::LogOptions;

/// Moves audit events from Kafka into PostgreSQL, exactly once.
///
/// Every option is also an environment variable and a key of the TOML file that --config names; the command line
/// wins over the environment, the environment over the file.
#[derive(Debug, clap::Parser)]
#[command(name = "audit-consumer", version, arg_required_else_help = true)]
pub struct Cli {
    /// How to log.
    #[command(flatten)]
    pub log: LogOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Read the topic and write the database, until told to stop
    Run(run::Options),
    /// Bring the database's schema up to date
    Migrate(migrate::Options),
    /// Look at dead letters
    Dlq(dlq::Options),
}
