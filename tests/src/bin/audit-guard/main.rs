//! `make guard`: fails when a stage's instructions or allocations per event grow.
//!
//! Counts repeat where times do not: a few percent show, whatever else the machine does.

mod callgrind;
mod comparison;
mod figures;
mod profile;
mod surroundings;

use std::{
    io::{Write, stderr, stdout},
    process::ExitCode,
};

use anyhow::{Context, Result, ensure};
use audit_tests::stages::Stage;
use clap::Parser;

use crate::{
    comparison::Comparison,
    figures::{Figures, PATH, Recorded},
    surroundings::Surroundings,
};

/// Instructions and allocations per event of each stage, beside what was recorded.
#[derive(Debug, Parser)]
#[command(name = "audit-guard")]
struct Arguments {
    /// Records what is counted now, for later runs to be compared with
    #[arg(long)]
    record: bool,

    /// Sends the events through this stage only: how Valgrind is made to start us
    #[arg(long, hide = true, value_name = "STAGE")]
    pass: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.pass {
        Some(stage) => callgrind::pass(stage).map(|()| ExitCode::SUCCESS),
        None if arguments.record => record().map(|()| ExitCode::SUCCESS),
        None => check(),
    };
    result.unwrap_or_else(|error| {
        // There is nobody left to tell that it cannot be told.
        say(&format!("error: {error:#}")).ok();
        ExitCode::FAILURE
    })
}

fn record() -> Result<()> {
    Recorded { surroundings: Surroundings::now()?, stages: measure()? }.save()?;
    say(&format!("recorded in {PATH}"))
}

fn check() -> Result<ExitCode> {
    let recorded = Recorded::load()?;
    let here = Surroundings::now()?;
    if here != recorded.surroundings {
        say(&format!(
            "SKIPPED: what each stage costs, as counts compare only in the same surroundings\n\
             recorded: {}\nhere:     {here}",
            recorded.surroundings
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let comparison = Comparison::of(&recorded.stages, &measure()?);
    write!(stdout(), "{comparison}")?;
    let different = comparison.different();
    if different == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!(
        "FAILED: {different} figures are not within 5 % of those in {PATH}.\n\
         What has grown should be made cheaper, or be worth it; what has shrunk should not grow back. Then\n\
         `make guard ARGS=--record` records what is now. Where the instructions are:\n\
         callgrind_annotate {}/STAGE.out",
        callgrind::directory()?.display()
    ))?;
    Ok(ExitCode::FAILURE)
}

fn measure() -> Result<Vec<Figures>> {
    ensure!(
        !cfg!(debug_assertions),
        "figures of a debug build mean nothing: `make guard` builds for release"
    );
    Stage::all()
        .map(|stage| callgrind::count(&stage).with_context(|| format!("count {}", stage.name())))
        .collect()
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(stderr(), "audit-guard: {text}")?)
}
