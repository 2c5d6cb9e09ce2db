//! The consumer beside the fastest way there is into the same table, beside the ways other sinks write, and beside
//! reading the topic without writing at all.
//!
//! ```text
//!  settings ─► stage ─► load ─► rounds: each variant in turn, under the meter ─► report
//!              parts    topic, COPY bytes
//! ```

mod librdkafka;
mod report;
pub(crate) mod settings;
mod upsert;

use std::io::{Write, stdout};

use anyhow::{Context, Result};

use self::{
    report::Report,
    settings::{Settings, Variant},
};
use crate::{
    copy::copy,
    events::Mixture,
    load::{Before, Load, Plan},
    machine::{Machine, postgres_settings},
    meter::{self, Figures},
    runs::in_round,
    say,
    stage::Stage,
};

pub(crate) async fn bench(settings: &Settings) -> Result<()> {
    let machine = Machine::now()?;
    say("starting Apache Kafka and PostgreSQL on free ports, in temporary directories")?;
    let stage = Stage::set().await?;
    say(&format!("storing {} events once, compared record by record", settings.events()))?;
    let plan = Plan {
        name: "write".to_owned(),
        partitions: 12,
        records: settings.events(),
        mixture: Mixture { event_bytes: settings.event_bytes, ..Mixture::plain(settings.seed) },
        before: Before::Nothing,
    };
    let load = Load::prepare(&stage, &plan).await?;

    let mut report =
        Report::new(settings, &machine, &load, &postgres_settings(&stage.postgres).await?);
    for round in 0..settings.rounds() {
        for variant in in_round(settings.variants(), round) {
            let figures = measure(variant, &stage, &load).await.with_context(|| variant.title())?;
            say(&format!("round {}, {}", round + 1, figures.line(variant.title())))?;
            report.runs.add(variant, round, figures);
        }
    }
    Ok(writeln!(stdout(), "{report}")?)
}

async fn measure(variant: Variant, stage: &Stage, load: &Load) -> Result<Figures> {
    let rows = &load.rows;
    match variant {
        Variant::Copy1 => meter::rows(stage, load, async |to| copy(stage, to, rows, 1).await).await,
        Variant::Copy2 => meter::rows(stage, load, async |to| copy(stage, to, rows, 2).await).await,
        Variant::Consumer1 => meter::consumer(stage, load, 1).await,
        Variant::Consumer2 => meter::consumer(stage, load, 2).await,
        Variant::Unnest => {
            meter::rows(stage, load, async |to| upsert::unnest(stage, to, rows).await).await
        }
        Variant::Values => {
            meter::rows(stage, load, async |to| upsert::values(stage, to, rows).await).await
        }
        Variant::Librdkafka => librdkafka::measure(stage, load).await,
    }
}
