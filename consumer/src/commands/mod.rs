//! One file per subcommand, each with its own options.

pub mod dlq;
pub mod doctor;
mod limit;
pub mod migrate;
mod moment;
mod place;
pub mod replay;
pub mod report;
pub mod run;
pub mod status;
pub mod verify;
mod writing;

use audit_runtime::config::Check;
use audit_runtime::logging::LogOptions;

/// Moves audit events from Kafka into PostgreSQL, exactly once.
///
/// Every option is also an environment variable and a key of the TOML file that --config names; the command line
/// wins over the environment, the environment over the file.
#[derive(Debug, clap::Parser)]
#[command(name = "audit-consumer", version, max_term_width = 120, arg_required_else_help = true)]
pub struct Cli {
    /// How to log.
    #[command(flatten)]
    pub log: LogOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Check for Cli {
    fn check(&self) -> Vec<anyhow::Error> {
        match &self.command {
            Command::Run(options) => options.check(),
            Command::Replay(options) => options.check(),
            _ => Vec::new(),
        }
    }
}

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Read the topic and write the database, until told to stop
    Run(run::Options),
    /// Bring the database's schema up to date
    Migrate(migrate::Options),
    /// Read the topic again into the database, beside the live stream, and store what is missing
    Replay(Box<replay::Options>),
    /// Look at dead letters, and decide what becomes of them
    Dlq(dlq::Options),
    /// Look at what was stored: summaries, one execution, one remediation
    Report(report::Options),
    /// Show where every stream stands: lag, completeness, rates, halts, dead letters
    Status(status::Options),
    /// Ask whether the consumer on this machine is ready
    Healthcheck(audit_runtime::healthcheck::Options),
    /// Look for what is wrong with Kafka, the database and the stream; exit code 3 if something is
    Doctor(doctor::Options),
    /// Prove that the database holds what it must, by itself or against the topic; exit code 3 if it does not
    Verify(verify::Options),
}
