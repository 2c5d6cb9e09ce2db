//! The ways to move the events, each measured the same way.

pub(crate) mod consumer;
mod copy;
mod librdkafka;
mod upsert;

use anyhow::{Context, Result};

use crate::{
    meter::{DatabaseMeter, Figures, commit_rate, disk_bytes, each},
    rows::Rows,
    settings::Variant,
    stage::Stage,
};

/// Name of the database that is written.
const DATABASE: &str = "measured";

pub(crate) async fn measure(variant: Variant, stage: &Stage, rows: &Rows) -> Result<Figures> {
    let figures = if variant == Variant::Librdkafka {
        librdkafka::measure(stage).await
    } else {
        on_database(variant, stage, rows).await
    };
    figures.with_context(|| variant.title())
}

async fn on_database(variant: Variant, stage: &Stage, rows: &Rows) -> Result<Figures> {
    let client = stage.fresh_database(DATABASE).await?;
    let before = DatabaseMeter::now(&client).await?;
    let consumer = match variant {
        Variant::Consumer1 => Some(consumer::drain(stage, DATABASE, 1).await?),
        Variant::Consumer2 => Some(consumer::drain(stage, DATABASE, 2).await?),
        Variant::Copy1 => copy::write(stage, DATABASE, rows, 1).await.map(|()| None)?,
        Variant::Copy2 => copy::write(stage, DATABASE, rows, 2).await.map(|()| None)?,
        Variant::Unnest => upsert::unnest(stage, DATABASE, rows).await.map(|()| None)?,
        Variant::Values => upsert::values(stage, DATABASE, rows).await.map(|()| None)?,
        Variant::Librdkafka => unreachable!("it has no database"),
    };
    let after = DatabaseMeter::now(&client).await?;

    rows.are_in(&client).await?;
    let mut cpu = after.cpu.since(&before.cpu);
    if let Some(drained) = &consumer {
        // It has ended since, and its time with it.
        cpu.consumer = drained.cpu;
    }
    let events = stage.events;
    let figures = Figures {
        rate: commit_rate(&client, events).await?,
        peak_memory: consumer.as_ref().map(|drained| drained.peak_memory),
        client_cpu: each(if consumer.is_some() { cpu.consumer } else { cpu.ours }, events),
        postgres_cpu: Some(each(cpu.postgres, events)),
        broker_cpu: consumer.is_some().then(|| each(cpu.broker, events)),
        wal: Some(each(after.wal_since(&before), events)),
        disk: Some(each(disk_bytes(&client).await?, events)),
        others: cpu.others(),
    };
    if consumer.is_some() {
        consumer::check_account(&client, events).await?;
    }
    stage.drop_database(DATABASE).await?;
    Ok(figures)
}
