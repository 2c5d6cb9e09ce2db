//! `audit-consumer`: picks the command.

use std::process::ExitCode;

use audit_consumer::commands::{
    Cli, Command, dlq, doctor, migrate, replay, report, run, status, verify,
};

fn main() -> ExitCode {
    let cli: Cli = audit_runtime::config::parse();
    audit_runtime::exit::run(async {
        audit_runtime::logging::init(&cli.log)?;
        audit_runtime::config::warn_of_misspelt_variables::<Cli>();
        match cli.command {
            Command::Run(options) => run::run(options).await,
            Command::Migrate(options) => migrate::run(options).await,
            Command::Replay(options) => replay::run(*options).await,
            Command::Dlq(options) => dlq::run(options).await,
            Command::Report(options) => report::run(options).await,
            Command::Status(options) => status::run(options).await,
            Command::Healthcheck(options) => audit_runtime::healthcheck::run(options).await,
            Command::Doctor(options) => doctor::run(options).await,
            Command::Verify(options) => verify::run(options).await,
        }
    })
}
