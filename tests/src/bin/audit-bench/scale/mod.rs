//! What becomes of rate and latency with several consumers, behind a backlog, after a start, and when nothing is
//! behind.
//!
//! ```text
//!  settings ─► site ─────► fill ─────► consumers   1, 2, 4 and 8 of them drain one topic
//!              parts, a    a topic     catch_up    a backlog and live traffic at once
//!              migrated                cold_start  from the start of a process to its first row
//!              database                steady      live traffic alone
//! ```

mod catch_up;
mod cold_start;
mod consumers;
mod fill;
mod latency;
mod live;
mod settings;
mod site;
mod steady;

use std::io::{Write, stdout};

use anyhow::{Context, Result};

pub(crate) use self::settings::Settings;
use self::{settings::Part, site::Site};
use crate::{
    machine::{Machine, kafka_version, postgres_settings},
    say,
};

pub(crate) async fn bench(settings: &Settings) -> Result<()> {
    let machine = Machine::now()?;
    say("starting Apache Kafka and PostgreSQL on free ports, in temporary directories")?;
    let site = Site::set().await?;
    let about = format!(
        "{machine}\nApache Kafka {}: 1 node, lz4\nPostgreSQL: {}",
        kafka_version(),
        postgres_settings(&site.postgres).await?
    );
    writeln!(stdout(), "{about}")?;
    for part in settings.parts() {
        let report = match part {
            Part::Consumers => consumers::bench(&site, settings).await,
            Part::CatchUp => catch_up::bench(&site, settings).await,
            Part::ColdStart => cold_start::bench(&site, settings).await,
            Part::Steady => steady::bench(&site, settings).await,
        };
        // Each as soon as it is there: the whole takes a while.
        writeln!(stdout(), "\n{}", report.with_context(|| part.title())?)?;
    }
    Ok(())
}
