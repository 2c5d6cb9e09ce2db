//! Several streams write the same topic to the same database at the same time.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    generator::{Event, Generator, IdKind},
    kafka::Record,
    pipeline::Pipeline,
};
use chrono::Utc;

use super::{PATIENCE, poison};

const SEED: u64 = 0x0A0D_1007;

/// Each id, content and dead letter is stored by one of them, whoever comes first, in small batches
/// that meet each other all the time.
#[tokio::test]
async fn two_streams_race_for_every_id() -> Result<()> {
    let pipeline = Pipeline::shared("race", 4).await?;
    // Several months, which a COPY fills one after the other.
    let mut generator =
        Generator::new(SEED, Utc::now()).spread_over(Duration::from_secs(90 * 86_400));
    let records = contested(&mut generator, 500, 4);
    let other = Pipeline { group: format!("{}_other", pipeline.group), ..pipeline.clone() };
    let mut consumers = Vec::new();
    for stream in [&pipeline, &other] {
        let binary = stream.consumer().env("AUDIT_BATCH_SIZE", "60");
        let two = [binary.clone().start_ready().await?, binary.start_ready().await?];
        // Before there is anything to store, so that none of them has it all.
        stream.owned_by(&[&two[0], &two[1]]).await?;
        consumers.extend(two);
    }
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let summary = pipeline.oracle().verify_with(&[&other.group], PATIENCE).await?;
    assert!(summary.history > 300 && summary.dead_letters > 50, "{summary:?}");

    // Counted after they are committed.
    let all = super::float(summary.ledger.stored);
    let stored = eventually(PATIENCE, "all that is stored to be counted", async || {
        let mut stored = Vec::new();
        for consumer in &consumers {
            let metrics = consumer.metrics().await?;
            stored.push(metrics.sum("kubernaut_audit_records_total", &[("disposition", "stored")]));
        }
        ensure!((stored.iter().sum::<f64>() - all).abs() < 0.5, "{stored:?} of {all}");
        Ok(stored)
    })
    .await?;
    let storing = stored.iter().filter(|stored| **stored > 0.0).count();
    assert!(storing > 1, "no race: {stored:?} stored");
    for consumer in &consumers {
        let metrics = consumer.metrics().await?;
        let deadlocks = metrics.sum("kubernaut_audit_retries_total", &[("sqlstate", "40P01")]);
        let log = pipeline.servers.postgres.log_tail(60);
        assert!(deadlocks < 0.5, "{deadlocks} deadlocks:\n{log}");
        pipeline.stop(consumer).await?;
    }
    Ok(())
}

/// Half of the ids carry no time. Each comes three times: conflicts, duplicates, and records in
/// between that are dead letters.
fn contested(generator: &mut Generator, ids: usize, partitions: i32) -> Vec<Record> {
    let mut events: Vec<Event> = Vec::new();
    for number in 0..ids {
        let kind = IdKind::ALL[if number % 2 == 0 { 0 } else { 1 + number / 2 % 3 }];
        let event = generator.event(kind);
        events.push(generator.conflict(&event));
        events.push(if number % 3 == 0 { event.respelled() } else { generator.conflict(&event) });
        events.push(event);
    }
    let mut records: Vec<Record> = events.iter().map(Event::record).collect();
    records.extend((0..ids / 5).map(|_| poison(generator)));
    generator.random().shuffle(&mut records);
    let mut spread = generator.clone();
    records
        .into_iter()
        .map(|record| record.to_partition(spread.random().i32(0..partitions)))
        .collect()
}
