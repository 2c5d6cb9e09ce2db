//! The way into the topic: the publisher beside bare librdkafka, the gateway beside an HTTP server that does nothing.
//!
//! ```text
//!  settings ─► stage ─► events ─► rounds: each variant in turn, under the meter ─► idle ─► report
//!              broker   JSON and     ├─ bare, publisher: in this process           connections
//!                       records      └─ gateway, nothing: requests from this process
//! ```

mod bare;
mod events;
mod gateway;
mod idle;
mod meter;
pub(crate) mod nothing;
mod publisher;
mod report;
mod requests;
pub(crate) mod settings;
mod stage;

use std::io::{Write, stdout};

use anyhow::{Context, Result, ensure};

use self::{
    events::Events,
    meter::Figures,
    report::Report,
    settings::{Settings, Variant},
    stage::Stage,
};
use crate::{machine::Machine, runs::in_round, say};

pub(crate) async fn bench(settings: &Settings) -> Result<()> {
    let machine = Machine::now()?;
    say("starting Apache Kafka on a free port, in a temporary directory")?;
    let stage = Stage::set(settings).await?;
    let events = Events::make(settings)?;
    say("warming the broker up")?;
    measure(Variant::Bare, &stage, &events, settings).await?;

    let mut report = Report::new(settings, &machine, &events);
    for round in 0..settings.rounds() {
        for variant in in_round(settings.variants(), round) {
            let figures = measure(variant, &stage, &events, settings).await?;
            say(&format!("round {}, {}", round + 1, figures.line(variant)))?;
            report.add(variant, round, figures);
        }
    }
    if settings.idle > 0 {
        say(&format!("opening {} connections", settings.idle))?;
        report.idle = Some(idle::measure(&stage, &events, settings).await?);
    }
    Ok(writeln!(stdout(), "{report}")?)
}

/// Measures one variant on a topic of its own, which must then hold what was acknowledged and nothing else.
async fn measure(
    variant: Variant,
    stage: &Stage,
    events: &Events,
    settings: &Settings,
) -> Result<Figures> {
    let topic = stage.fresh_topic().await?;
    let count = settings.events_of(variant);
    let figures = match variant {
        Variant::Bare => bare::measure(stage, &topic, events, count).await,
        Variant::Publisher => publisher::measure(stage, &topic, events, count).await,
        Variant::Nothing => nothing::measure(events, count, settings.connections).await,
        Variant::Requests => {
            gateway::requests(stage, &topic, events, count, settings.connections).await
        }
        Variant::Batches => {
            gateway::batches(stage, &topic, events, count, settings.connections).await
        }
    };
    let figures = figures.with_context(|| variant.title())?;
    let expected = if variant == Variant::Nothing { 0 } else { count };
    let found = stage.clear(&topic).await?;
    ensure!(found == expected, "{}: {found} records of {expected}", variant.title());
    Ok(figures)
}
