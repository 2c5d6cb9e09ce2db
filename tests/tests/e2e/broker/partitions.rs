//! A topic that grows.

use anyhow::Result;
use audit_tests::{binary::Binary, generator::Generator, load::spread, pipeline::Pipeline};
use chrono::Utc;

const SEED: u64 = 0x0A0D_0204;

#[tokio::test]
async fn partitions_added_while_reading_are_read_from_their_start() -> Result<()> {
    // The members look for new partitions themselves, every five minutes by default.
    let properties = "session.timeout.ms=3000,heartbeat.interval.ms=500,\
                      topic.metadata.refresh.interval.ms=1000";
    grow(|consumer| consumer.env("AUDIT_KAFKA_PROPERTIES", properties)).await
}

#[tokio::test]
async fn partitions_added_while_reading_are_read_from_their_start_by_the_new_protocol() -> Result<()>
{
    grow(|consumer| consumer.env("AUDIT_KAFKA_PROPERTIES", "group.protocol=consumer")).await
}

async fn grow(with: impl Fn(Binary) -> Binary) -> Result<()> {
    let pipeline = Pipeline::shared("grown", 2).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    kafka.publish(&pipeline.topic, spread(&mut generator, 50, 2)).await?;
    let first = with(pipeline.consumer()).start_ready().await?;
    let second = with(pipeline.consumer()).start_ready().await?;
    pipeline.owned_by(&[&first, &second]).await?;

    kafka.add_partitions(&pipeline.topic, 6).await?;
    kafka.publish(&pipeline.topic, spread(&mut generator, 50, 6)).await?;
    pipeline.owned_by(&[&first, &second]).await?;
    let summary = pipeline.verify().await?;
    assert_eq!(summary.ids, 2 * 50 + 6 * 50);
    pipeline.stop(&first).await?;
    pipeline.stop(&second).await
}
