//! How the write path fares with repeats, conflicts, ids without a time, other sizes, poison, many partitions and a
//! large table: each case beside raw COPY of its own rows.
//!
//! ```text
//!  settings ─► stage ─► load of each case ─► rounds: raw COPY and consumer, case by case ─► report
//!              parts    topic, templates
//! ```

mod case;
mod report;
pub(crate) mod settings;

use std::io::{Write, stdout};

use anyhow::{Context, Result};

use self::{
    report::{Report, Writer},
    settings::Settings,
};
use crate::{
    copy::copy,
    load::Load,
    machine::{Machine, postgres_settings},
    meter,
    runs::in_round,
    say,
    stage::Stage,
};

pub(crate) async fn bench(settings: &Settings) -> Result<()> {
    let machine = Machine::now()?;
    say("starting Apache Kafka and PostgreSQL on free ports, in temporary directories")?;
    let stage = Stage::set().await?;
    let mut loads = Vec::new();
    for case in settings.cases() {
        let title = case.title(settings);
        say(&format!("storing once, compared record by record: {title}"))?;
        loads.push((case, Load::prepare(&stage, &case.plan(settings)).await.context(title)?));
    }

    let mut report =
        Report::new(settings, &machine, &loads, &postgres_settings(&stage.postgres).await?);
    for round in 0..settings.rounds() {
        for (case, load) in in_round(loads.iter().collect(), round) {
            for writer in in_round(vec![Writer::Copy, Writer::Consumer], round) {
                let title = format!("{writer}, {}", case.title(settings));
                let figures = match writer {
                    Writer::Copy => {
                        let write =
                            async |to: &str| copy(&stage, to, &load.rows, settings.lanes).await;
                        meter::rows(&stage, load, write).await
                    }
                    Writer::Consumer => meter::consumer(&stage, load, settings.lanes).await,
                };
                let figures = figures.with_context(|| title.clone())?;
                say(&format!("round {}, {}", round + 1, figures.line(&title)))?;
                report.runs.add((*case, writer), round, figures);
            }
        }
    }
    Ok(writeln!(stdout(), "{report}")?)
}
