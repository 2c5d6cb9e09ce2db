//! How much memory a consumer takes at the most, as `audit_consumer::lane::IN_FLIGHT_BYTES` states it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use audit_tests::{
    eventually,
    generator::{Generator, IdKind},
    kafka::Record,
    pipeline::Pipeline,
    postgres,
};
use chrono::Utc;
use serde_json::{Value, json};

const SEED: u64 = 0x0A0D_0020;
const MIB: u64 = 1 << 20;
/// What two lanes may have in flight.
const IN_FLIGHT: f64 = 24.0 * 1024.0 * 1024.0;
/// What two lanes may take: 48 MiB and 64 MiB for each.
const BOUND: u64 = 176 * MIB;

/// A backlog of events as they mostly are: they stay well below the bound.
#[tokio::test]
async fn events_of_two_kilobytes() -> Result<()> {
    let mut generator = Generator::new(SEED, Utc::now());
    let records = (0..25_000).map(|_| generator.event(IdKind::Dated).record()).collect();
    let peak = peak("small", records).await?;
    assert!(peak < BOUND * 3 / 4, "{} MiB", peak / MIB);
    Ok(())
}

/// A backlog of events as large as they may be. Half of them are large by what has a column of its own, half by a
/// field that has none.
#[tokio::test]
async fn events_of_nearly_a_mebibyte() -> Result<()> {
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let records = (0..120).map(|at| large(&mut generator, at % 2 == 0)).collect::<Result<_>>()?;
    let peak = peak("large", records).await?;
    assert!(peak < BOUND, "{} MiB", peak / MIB);
    Ok(())
}

/// The most memory that a consumer of two lanes takes for the records, which find the database locked until all that
/// it may hold is full.
async fn peak(name: &str, records: Vec<Record>) -> Result<u64> {
    let pipeline = Pipeline::shared(name, 12).await?;
    let kafka = pipeline.servers.kafka;
    kafka.alter_topic(&pipeline.topic, &[("compression.type", "lz4")]).await?;
    kafka.publish(&pipeline.topic, records).await?;

    let blocker = postgres::connect(&pipeline.database_url).await?;
    blocker.batch_execute("BEGIN; LOCK TABLE workflow_execution_audit IN SHARE MODE").await?;
    let consumer = pipeline.start_consumer().await?;
    eventually(Duration::from_secs(180), "the consumer to stop receiving", async || {
        let held = consumer.metrics().await?.sum("kubernaut_audit_in_flight_bytes", &[]);
        ensure!(held >= IN_FLIGHT, "it holds {held} bytes");
        Ok(())
    })
    .await?;
    blocker.batch_execute("COMMIT").await?;
    pipeline.verify().await?;
    let peak = consumer.peak_memory()?;
    pipeline.stop(&consumer).await?;
    Ok(peak)
}

/// An event of nearly a mebibyte, which compression makes hardly smaller.
fn large(generator: &mut Generator, has_column: bool) -> Result<Record> {
    let record = generator.event(IdKind::Dated).record();
    let text: String = (0..1_000_000).map(|_| generator.random().alphanumeric()).collect();
    let mut event: Value = serde_json::from_slice(record.value.as_deref().context("a value")?)?;
    if has_column {
        event["step_executions"] = json!([{ "output": text }]);
    } else {
        event["attachment"] = text.into();
    }
    Ok(Record { value: Some(serde_json::to_vec(&event)?), ..record })
}
