//! Consumers that end without a word.

use std::collections::BTreeSet;

use anyhow::Result;
use audit_tests::{generator::Generator, load::mixture, pipeline::Pipeline, service::Service};
use chrono::Utc;

use super::protocol::Protocol;

const SEED: u64 = 0x0A0D_0102;

#[tokio::test]
async fn consumers_are_killed_anywhere_in_the_stream() -> Result<()> {
    killed(Protocol::Classic, SEED).await
}

#[tokio::test]
async fn consumers_are_killed_anywhere_in_the_stream_by_the_new_protocol() -> Result<()> {
    killed(Protocol::Consumer, SEED + 0x100).await
}

/// Batches are small, so that most of a consumer's time is spent inside of transactions.
async fn killed(protocol: Protocol, seed: u64) -> Result<()> {
    let pipeline = Pipeline::shared("killed", 4).await?;
    let mut generator = Generator::new(seed, Utc::now());
    let records = mixture(&mut generator, 1500);
    let count = i64::try_from(records.len())?;
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;

    let mut consumers = [start(protocol, &pipeline)?, start(protocol, &pipeline)?];
    let points: BTreeSet<i64> = (0..5).map(|_| generator.random().i64(1..count)).collect();
    for point in points {
        pipeline.reaches(point).await?;
        // One of them, or both.
        let spared = generator.random().usize(..3);
        for (number, consumer) in consumers.iter_mut().enumerate() {
            if number != spared {
                consumer.kill().await?;
                *consumer = start(protocol, &pipeline)?;
            }
        }
    }
    pipeline.verify().await?;
    for consumer in &consumers {
        consumer.ready().await?;
        pipeline.stop(consumer).await?;
    }
    Ok(())
}

/// Whether it is ready does not matter: it may be killed before.
fn start(protocol: Protocol, pipeline: &Pipeline<'_>) -> Result<Service> {
    protocol.consumer(pipeline).env("AUDIT_BATCH_SIZE", "10").start()
}
