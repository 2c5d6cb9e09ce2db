//! `make demo`: the whole pipeline on real parts, at work and under fire, and the proof that every
//! event arrived once.
//!
//! ```text
//!  settings ─► stage ─► publish ─────────► proof ─► summary ─► next
//!              parts     └─ watch: progress, one consumer killed
//! ```

mod next;
mod proof;
mod publish;
mod reports;
mod settings;
mod stage;
mod summary;
mod table;
mod watch;

use std::process::ExitCode;

use anyhow::Result;
use audit_tests::screen::{Screen, told_to_stop};

use self::{proof::Proof, settings::Settings, stage::Stage};

#[tokio::main]
async fn main() -> ExitCode {
    let screen = Screen::new();
    let settings = match Settings::from_env() {
        Ok(settings) => settings,
        Err(error) => return screen.fail(&error, 2),
    };
    screen.run(demo(&settings, &screen)).await
}

/// Whether the proof holds.
async fn demo(settings: &Settings, screen: &Screen) -> Result<bool> {
    summary::title(settings, screen)?;
    let stage = Stage::set(screen).await?;
    let counter = publish::Counter::default();
    let (published, run) = tokio::try_join!(
        publish::everything(&stage, settings, &counter),
        watch::until_accounted_for(&stage, settings, &counter, screen),
    )?;
    screen.step("reading the topic again from its start, to compare it with the tables")?;
    let proof = Proof::of(&stage, &published).await?;
    summary::print(&published, &run, &proof, screen)?;
    reports::print(&stage, screen).await?;
    if settings.keep {
        next::look_around(&stage, screen).await?;
        told_to_stop().await?;
        drop(stage);
        screen.say("\nended; nothing is left behind")?;
    } else {
        drop(stage);
        next::suggestions(screen)?;
    }
    Ok(proof.holds())
}
