//! A database that does not keep up costs time, not memory.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    generator::{Generator, IdKind},
    kafka::Record,
    pipeline::Pipeline,
    postgres,
};
use chrono::Utc;

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

    let blocker = postgres::connect(&pipeline.database_url).await?;
    blocker.batch_execute("BEGIN; LOCK TABLE workflow_execution_audit IN SHARE MODE").await?;
    let consumer = pipeline
        .consumer()
        .env("AUDIT_KAFKA_PROPERTIES", "session.timeout.ms=6000,max.poll.interval.ms=6000")
        .start_ready()
        .await?;
    let full = eventually(Duration::from_secs(180), "the consumer to stop receiving", async || {
        let held = consumer.metrics().await?.sum("kubernaut_audit_in_flight_bytes", &[]);
        ensure!(held >= FULL, "it holds {held} bytes");
        Ok(held)
    })
    .await?;
    ensure!(full < LIMIT, "it holds {full} bytes");
    // Twice the poll interval, measured by what the consumer itself does meanwhile.
    let looked = async || {
        let seen = "SELECT max(seen_at) FROM audit_stream";
        let client = postgres::connect(&pipeline.database_url).await?;
        Ok::<Option<chrono::DateTime<Utc>>, anyhow::Error>(
            client.query_one(seen, &[]).await?.get(0),
        )
    };
    let before = Utc::now();
    eventually(Duration::from_secs(180), "twelve seconds of waiting", async || {
        let waited = looked().await?.map(|at| at - before);
        ensure!(waited.is_some_and(|waited| waited.num_seconds() >= 12), "waited {waited:?}");
        Ok(())
    })
    .await?;
    let metrics = consumer.metrics().await?;
    ensure!(metrics.sum("kubernaut_audit_in_flight_bytes", &[]) < LIMIT);
    ensure!(metrics.sum("kubernaut_audit_assigned_partitions", &[]) > 2.5, "it left the group");

    blocker.batch_execute("COMMIT").await?;
    let summary = pipeline.verify().await?;
    assert_eq!(summary.ids, 200);
    assert_eq!(consumer.metrics().await?.sum("kubernaut_audit_fenced_batches_total", &[]), 0.0);
    pipeline.stop(&consumer).await
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
