//! A database that does not keep up costs time, not memory.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    generator::{Generator, IdKind},
    kafka::Record,
    pipeline::Pipeline,
    postgres,
    service::Service,
};
use chrono::{DateTime, Utc};

const SEED: u64 = 0x0A0D_0010;
/// What two lanes may hold, and that with the chunks that take them past it.
const FULL: f64 = 24.0 * 1024.0 * 1024.0;
const LIMIT: f64 = 28e6;

/// The backlog is four times what the consumer holds. While nothing can be written it stops receiving, stays in its
/// group for longer than it may go without polling, and goes on as if nothing had been.
#[tokio::test]
async fn a_backlog_waits_in_the_topic() -> Result<()> {
    let pipeline = Pipeline::shared("backlog", 3).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let large: Vec<Record> = (0..200).map(|_| large(&mut generator)).collect();
    pipeline.servers.kafka.publish(&pipeline.topic, large).await?;

    let blocker = closed(&pipeline).await?;
    let consumer = pipeline
        .consumer()
        .env("AUDIT_KAFKA_PROPERTIES", "session.timeout.ms=6000,max.poll.interval.ms=6000")
        .start_ready()
        .await?;
    full(&consumer).await?;
    // Twice the poll interval.
    waited(&pipeline, 12).await?;
    let metrics = consumer.metrics().await?;
    ensure!(metrics.sum("kubernaut_audit_in_flight_bytes", &[]) < LIMIT);
    ensure!(metrics.sum("kubernaut_audit_assigned_partitions", &[]) > 2.5, "it left the group");

    blocker.batch_execute("COMMIT").await?;
    let summary = pipeline.verify().await?;
    assert_eq!(summary.ids, 200);
    assert_eq!(consumer.metrics().await?.sum("kubernaut_audit_fenced_batches_total", &[]), 0.0);
    pipeline.stop(&consumer).await
}

/// Partitions are paused while nothing can be written. One that is taken over again in that state is read on.
#[tokio::test]
async fn a_paused_partition_that_is_taken_over_again_is_read_on() -> Result<()> {
    let pipeline = Pipeline::shared("paused", 3).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let large: Vec<Record> = (0..120).map(|_| large(&mut generator)).collect();
    pipeline.servers.kafka.publish(&pipeline.topic, large).await?;

    let blocker = closed(&pipeline).await?;
    let consumer = pipeline.consumer().start_ready().await?;
    full(&consumer).await?;
    // It pauses after a second of being full.
    waited(&pipeline, 4).await?;
    // As another consumer's takeovers would: what this one holds is worth nothing any more.
    blocker.batch_execute("UPDATE audit_stream SET epoch = epoch + 1; COMMIT").await?;
    let summary = pipeline.verify().await?;
    assert_eq!(summary.ids, 120);
    ensure!(consumer.metrics().await?.sum("kubernaut_audit_fenced_batches_total", &[]) > 0.5);
    pipeline.stop(&consumer).await
}

/// Keeps every batch waiting for its first lock, until the session commits.
async fn closed(pipeline: &Pipeline<'_>) -> Result<tokio_postgres::Client> {
    let blocker = postgres::connect(&pipeline.database_url).await?;
    blocker.batch_execute("BEGIN; LOCK TABLE workflow_execution_audit IN SHARE MODE").await?;
    Ok(blocker)
}

/// Waits until the consumer holds what it may hold.
async fn full(consumer: &Service) -> Result<()> {
    let full = eventually(Duration::from_secs(180), "the consumer to stop receiving", async || {
        let held = consumer.metrics().await?.sum("kubernaut_audit_in_flight_bytes", &[]);
        ensure!(held >= FULL, "it holds {held} bytes");
        Ok(held)
    })
    .await?;
    ensure!(full < LIMIT, "it holds {full} bytes");
    Ok(())
}

/// Waits until so many seconds have passed, measured by what the consumer itself does meanwhile.
async fn waited(pipeline: &Pipeline<'_>, seconds: i64) -> Result<()> {
    let before = Utc::now();
    let client = postgres::connect(&pipeline.database_url).await?;
    eventually(Duration::from_secs(180), "the consumer to wait", async || {
        let looked = client.query_one("SELECT max(seen_at) FROM audit_stream", &[]).await?;
        let waited = looked.get::<_, Option<DateTime<Utc>>>(0).map(|at| at - before);
        ensure!(waited.is_some_and(|waited| waited.num_seconds() >= seconds), "waited {waited:?}");
        Ok(())
    })
    .await
}

/// An event of half a mebibyte: as good as any.
fn large(generator: &mut Generator) -> Record {
    let event = generator.event(IdKind::Dated);
    let mut value = event.value();
    let end = value.pop();
    value.extend_from_slice(b",\"attachment\":\"");
    value.resize(512 << 10, b'x');
    value.extend_from_slice(b"\"");
    value.extend(end);
    Record { value: Some(value), ..event.record() }
}
