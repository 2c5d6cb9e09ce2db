//! One pass of a stage in a process of its own, under Valgrind's callgrind.

use std::{
    env, fs,
    io::{Write, stdout},
    path::PathBuf,
    process::Command,
};

use allocation_counter::measure;
use anyhow::{Context, Result, ensure};
use audit_tests::stages::{Pass, Stage};

use crate::{figures::Figures, profile::Instructions};

/// The only function whose instructions count, with all it calls.
const COUNTED: &str = "audit_guard::callgrind::counted*";

/// Where the profiles are left.
pub(crate) fn directory() -> Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name("guard"))
}

/// What a stage costs per event.
pub(crate) fn count(stage: &Stage) -> Result<Figures> {
    fs::create_dir_all(directory()?)?;
    let profile = directory()?.join(stage.name().replace([' ', ','], "_")).with_extension("out");
    let output = Command::new("valgrind")
        .args(["-q", "--tool=callgrind", "--dump-line=no", "--collect-atstart=no"])
        .args([format!("--toggle-collect={COUNTED}")])
        .args([format!("--callgrind-out-file={}", profile.display())])
        .arg(env::current_exe()?)
        .args(["--pass", &stage.name()])
        .output()
        .context("cannot start valgrind: `make setup` installs it")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let instructions: Instructions = fs::read_to_string(profile)?.parse()?;
    let allocations: u32 = String::from_utf8(output.stdout)?.trim().parse()?;
    let events = stage.events();
    Ok(Figures {
        name: stage.name(),
        instructions: instructions.ours / u64::from(events),
        sha256: instructions.sha256 / u64::from(events),
        allocations: f64::from(allocations) / f64::from(events),
    })
}

/// Sends the events through the stage and prints how many allocations that took.
pub(crate) fn pass(name: &str) -> Result<()> {
    let stage = Stage::all().find(|stage| stage.name() == name).context("no such stage")?;
    let mut pass = stage.prepare()?;
    // What a stage keeps, such as the decoder's memory, it gets once.
    pass();
    let allocations = measure(|| counted(&mut pass)).count_total;
    Ok(writeln!(stdout(), "{allocations}")?)
}

#[inline(never)]
fn counted(pass: &mut Pass) {
    pass();
}
