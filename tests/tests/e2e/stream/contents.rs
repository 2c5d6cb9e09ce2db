//! Every kind of event, in every order.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    generator::{Generator, IdKind},
    kafka::Record,
    pipeline::Pipeline,
};
use chrono::Utc;

const SEED: u64 = 0x0A0D_0001;
const LIMIT: Duration = Duration::from_secs(180);

/// Poison of every kind, duplicates in other spellings and conflicts, shuffled, over several partitions: so the
/// same id comes through several partitions, lanes and batches.
#[tokio::test]
async fn poison_duplicates_and_conflicts_in_every_order() -> Result<()> {
    let pipeline = Pipeline::shared("contents", 4).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let mut records = Vec::new();
    for event in generator.events(600) {
        records.push(event.record());
        for _ in 0..generator.random().usize(..4) {
            let other = match generator.random().u8(..3) {
                0 => event.respelled(),
                1 => generator.conflict(&event),
                _ => event.clone(),
            };
            let partition = generator.random().i32(0..4);
            records.push(other.record().to_partition(partition));
        }
    }
    for code in Generator::poisons() {
        records.push(generator.poison(code));
        records.push(generator.poison(code));
    }
    generator.random().shuffle(&mut records);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;

    let consumer = pipeline.consumer().env("AUDIT_BATCH_SIZE", "50").start_ready().await?;
    let first = pipeline.verify().await?;
    assert!(first.history > 100, "{first:?}");
    assert!(first.dead_letters > 40, "{first:?}");
    pipeline.stop(&consumer).await
}

/// What was stored is not stored again when the stream is read from the start by another group.
#[tokio::test]
async fn reading_it_all_again_changes_nothing() -> Result<()> {
    let mut pipeline = Pipeline::shared("again", 2).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let mut records: Vec<Record> = Vec::new();
    for event in generator.events(300) {
        records.push(event.record());
        records.push(generator.conflict(&event).record());
    }
    let poison = Generator::poisons().next().expect("there are kinds");
    records.push(generator.poison(poison));
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;

    let consumer = pipeline.start_consumer().await?;
    let first = pipeline.verify().await?;
    pipeline.stop(&consumer).await?;

    pipeline.group.push_str("_again");
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().settled(LIMIT).await?;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let all = first.ledger.offsets() as f64;
    // Counted after they are committed.
    eventually(LIMIT, "all of them to be duplicates", async || {
        let labels = [("disposition", "duplicate")];
        let duplicates = consumer.metrics().await?.sum("kubernaut_audit_records_total", &labels);
        ensure!((duplicates - all).abs() < 0.5, "{duplicates} duplicates of {all}");
        Ok(())
    })
    .await?;
    pipeline.stop(&consumer).await
}

/// An id without a time takes its `created_at` from its earliest record, also when that comes last.
#[tokio::test]
async fn the_earliest_record_decides_when_a_row_was_created() -> Result<()> {
    let pipeline = Pipeline::shared("earliest", 2).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator =
        Generator::new(SEED + 2, Utc::now()).spread_over(Duration::from_secs(90 * 86_400));
    let events: Vec<_> = (0..50).map(|_| generator.event(IdKind::ClientMade)).collect();
    // The earlier records go to partition 1, which is read only when the later ones are stored.
    let early =
        events.iter().map(|event| generator.conflict(event).record().to_partition(1)).collect();
    kafka.publish(&pipeline.topic, early).await?;
    let late = events.iter().map(|event| event.record().to_partition(0)).collect();
    kafka.publish(&pipeline.topic, late).await?;

    // One lane, one record per batch: the order of partitions is the order of writing.
    let consumer = pipeline.consumer().env("AUDIT_BATCH_SIZE", "1").start_ready().await?;
    let summary = pipeline.verify().await?;
    assert_eq!((summary.ids, summary.history), (50, 50));
    pipeline.stop(&consumer).await
}
