//! `make bench`: the consumer beside the fastest way there is into the same table, beside the ways
//! other sinks write, and beside reading the topic without writing at all.
//!
//! ```text
//!  settings ─► stage ─► events ─► rows ─► rounds: each variant in turn, under the meter ─► report
//!              parts    topic     COPY     └─ variants/
//!                       filled    bytes
//! ```
//!
//! Only ratios within one run mean anything: the variants take turns, so that whatever else the
//! machine does hits all of them.

mod cpu;
mod events;
mod meter;
mod report;
mod rows;
mod settings;
mod shape;
mod stage;
mod variants;

use std::{
    io::{Write, stderr, stdout},
    process::ExitCode,
};

use anyhow::{Result, ensure};
use clap::Parser;

use self::{
    report::{Machine, Report},
    settings::Settings,
    stage::Stage,
};

#[tokio::main]
async fn main() -> ExitCode {
    match bench(&Settings::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell that it cannot be told.
            writeln!(stderr(), "error: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn bench(settings: &Settings) -> Result<()> {
    ensure!(
        !cfg!(debug_assertions),
        "figures of a debug build mean nothing: `make bench` builds for release"
    );
    let machine = Machine::now()?;
    say("starting Apache Kafka and PostgreSQL on free ports, in temporary directories")?;
    let stage = Stage::set(settings).await?;
    say(&format!("publishing {} events", settings.events()))?;
    let bytes = events::publish(&stage, settings).await?;
    say("storing them once, compared with the topic record by record")?;
    let rows = stage.rehearse().await?;

    let mut report = Report::new(settings, machine, bytes, &stage.postgres_settings().await?);
    for round in 0..settings.rounds() {
        for variant in settings.in_round(round) {
            let figures = variants::measure(variant, &stage, &rows).await?;
            say(&format!("round {}, {}", round + 1, figures.line(variant)))?;
            report.add(variant, round, figures);
        }
    }
    Ok(writeln!(stdout(), "{report}")?)
}

/// What goes on, for whoever waits; the report alone goes to standard output.
fn say(line: &str) -> Result<()> {
    Ok(writeln!(stderr(), "{line}")?)
}
