//! Records that are gone from the topic before they were stored.

use std::time::Duration;

use anyhow::Result;
use audit_tests::{
    binary::Binary,
    generator::{Generator, IdKind},
    kafka::RawRecord,
    load::spread,
    oracle::Expected,
    pipeline::Pipeline,
    postgres::connect,
    service::Service,
};
use chrono::Utc;

use super::halted::is_halted;

const SEED: u64 = 0x0A0D_0202;
const PARTITIONS: i32 = 2;
/// Of partition 0: what was stored ends before these, what is there begins behind them.
const LOST: std::ops::Range<i64> = 50..90;
const LIMIT: Duration = Duration::from_secs(180);
const REASON: &str = "retention was too short";

#[tokio::test]
async fn a_topic_cut_while_nobody_reads_it_halts_until_an_operator_decides() -> Result<()> {
    let (pipeline, mut generator) = half_read().await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await?;
    let published = publish_and_cut(&pipeline, &mut generator).await?;
    let consumer = pipeline.start_consumer().await?;
    goes_on_after_a_decision(&pipeline, &published, &mut generator, consumer).await
}

#[tokio::test]
async fn a_topic_cut_under_a_frozen_reader_halts_until_an_operator_decides() -> Result<()> {
    let (pipeline, mut generator) = half_read().await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    consumer.pause()?;
    // This record is the answer to what it had asked for: nothing that is about to be cut off is.
    let kafka = pipeline.servers.kafka;
    let answer = generator.event(IdKind::Dated).record().to_partition(1);
    kafka.publish(&pipeline.topic, vec![answer]).await?;
    kafka.read_all(&pipeline.topic).await?;
    let published = publish_and_cut(&pipeline, &mut generator).await?;
    consumer.resume()?;
    goes_on_after_a_decision(&pipeline, &published, &mut generator, consumer).await
}

async fn half_read() -> Result<(Pipeline<'static>, Generator)> {
    let pipeline = Pipeline::shared("truncated", PARTITIONS).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let records = spread(&mut generator, 50, PARTITIONS);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    Ok((pipeline, generator))
}

/// Gives all that was ever published.
async fn publish_and_cut(
    pipeline: &Pipeline<'_>,
    generator: &mut Generator,
) -> Result<Vec<RawRecord>> {
    let kafka = pipeline.servers.kafka;
    kafka.publish(&pipeline.topic, spread(generator, 60, PARTITIONS)).await?;
    let published = kafka.read_all(&pipeline.topic).await?;
    kafka.delete_records(&pipeline.topic, 0, LOST.end).await?;
    Ok(published)
}

async fn goes_on_after_a_decision(
    pipeline: &Pipeline<'_>,
    published: &[RawRecord],
    generator: &mut Generator,
    consumer: Service,
) -> Result<()> {
    is_halted(pipeline, &consumer, 0, "truncated").await?;
    let (first, last) = (LOST.start, LOST.end - 1);
    let hint = format!("--accept-lost {}:0:{first}-{last} --reason", pipeline.topic);
    assert!(consumer.log()?.contains(&hint), "the log names the way out: {hint}");
    // The other partition goes on; the halted one stays where it is.
    pipeline.reaches(50 + 110).await?;
    assert_eq!(pipeline.stream(0).await?.next_offset, Some(50));
    pipeline.stop(&consumer).await?;

    // One that begins elsewhere, and one that would give up records that are there.
    for wrong in [(first + 1, last), (first, last + 1)] {
        let consumer = accept(pipeline, wrong, REASON).start_ready().await?;
        is_halted(pipeline, &consumer, 0, "truncated").await?;
        assert_eq!(pipeline.stream(0).await?.next_offset, Some(50), "{wrong:?}");
        pipeline.stop(&consumer).await?;
    }
    let unfounded = accept(pipeline, (first, last), " ").env("AUDIT_ADMIN_LISTEN", "127.0.0.1:0");
    assert_eq!(unfounded.run().await?.code, Some(2));

    let consumer = accept(pipeline, (first, last), REASON).start_ready().await?;
    let kafka = pipeline.servers.kafka;
    kafka.publish(&pipeline.topic, spread(generator, 20, PARTITIONS)).await?;
    pipeline.oracle().settled(LIMIT).await?;
    let mut expected = Expected::default();
    for record in published.iter().chain(&kafka.read_all(&pipeline.topic).await?) {
        if !(record.at.partition == 0 && LOST.contains(&record.at.offset)) {
            expected.see(record);
        }
    }
    let summary = pipeline.oracle().verify_against(&expected).await?;
    assert_eq!(summary.ledger.lost, last - first + 1);
    let client = connect(&pipeline.database_url).await?;
    let row = client
        .query_one("SELECT first_offset, last_offset, reason FROM audit_batch WHERE lost > 0", &[])
        .await?;
    assert_eq!((row.get(0), row.get(1), row.get(2)), (first, last, REASON));
    assert_eq!(pipeline.stream(0).await?.halted, None);
    pipeline.stop(&consumer).await?;

    // The decision is made: with the option still there nothing more is given up.
    let consumer = accept(pipeline, (first, last), REASON).start_ready().await?;
    kafka.publish(&pipeline.topic, spread(generator, 10, PARTITIONS)).await?;
    pipeline.oracle().settled(LIMIT).await?;
    for record in kafka.read_all(&pipeline.topic).await? {
        expected.see(&record);
    }
    let summary = pipeline.oracle().verify_against(&expected).await?;
    assert_eq!(summary.ledger.lost, last - first + 1);
    pipeline.stop(&consumer).await
}

fn accept(pipeline: &Pipeline<'_>, (first, last): (i64, i64), reason: &str) -> Binary {
    let lost = format!("{}:0:{first}-{last}", pipeline.topic);
    pipeline.consumer().args(["--accept-lost", &lost, "--reason", reason])
}
