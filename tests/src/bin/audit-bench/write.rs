//! The consumer beside the fastest way there is into the same table, beside the ways other sinks write, and beside
//! reading the topic without writing at all.
//!
//! ```text
//!  settings ─► stage ─► events ─► rows ─► rounds: each variant in turn, under the meter ─► report
//!              parts    topic     COPY     └─ variants/
//!                       filled    bytes
//! ```

use std::io::{Write, stdout};

use anyhow::Result;

use crate::{
    events,
    machine::{Machine, postgres_settings},
    report::Report,
    say,
    settings::Settings,
    stage::Stage,
    variants,
};

pub(crate) async fn bench(settings: &Settings) -> Result<()> {
    let machine = Machine::now()?;
    say("starting Apache Kafka and PostgreSQL on free ports, in temporary directories")?;
    let stage = Stage::set(settings).await?;
    say(&format!("publishing {} events", settings.events()))?;
    let bytes = events::publish(&stage, settings).await?;
    say("storing them once, compared with the topic record by record")?;
    let rows = stage.rehearse().await?;

    let mut report =
        Report::new(settings, &machine, bytes, &postgres_settings(&stage.postgres).await?);
    for round in 0..settings.rounds() {
        for variant in settings.in_round(round) {
            let figures = variants::measure(variant, &stage, &rows).await?;
            say(&format!("round {}, {}", round + 1, figures.line(variant)))?;
            report.add(variant, round, figures);
        }
    }
    Ok(writeln!(stdout(), "{report}")?)
}
