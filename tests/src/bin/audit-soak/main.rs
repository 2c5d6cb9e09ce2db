//! `make soak`: events under random faults, round after round, each with the next seed.

mod settings;

use std::{process::ExitCode, time::Instant};

use anyhow::Result;
use audit_tests::soak::{self, Plan};

use self::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match Settings::from_env() {
        Ok(settings) => settings,
        Err(error) => return fail(&error, 2),
    };
    match rounds(&settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

/// One round at least, and others until the time is up.
async fn rounds(settings: &Settings) -> Result<()> {
    let started = Instant::now();
    let mut plan = settings.first;
    loop {
        soak::round(&plan).await?;
        if started.elapsed() >= settings.time {
            return Ok(());
        }
        plan = Plan { seed: plan.seed.wrapping_add(1), ..plan };
    }
}

#[expect(clippy::print_stderr, reason = "a program's last words")]
fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("audit-soak: {error:?}");
    ExitCode::from(code)
}
