//! Another topic of the same name.

use std::time::Duration;

use anyhow::Result;
use audit_tests::{
    generator::Generator, load::spread, oracle::Expected, pipeline::Pipeline, service::Service,
};
use chrono::Utc;

use super::halted::is_halted;
use crate::group::protocol::Protocol;

const SEED: u64 = 0x0A0D_0203;
const PARTITIONS: i32 = 2;
/// Records in each partition of the topic that was read.
const READ: usize = 50;

#[tokio::test]
async fn a_smaller_topic_of_the_same_name_is_not_read_as_the_old_one() -> Result<()> {
    while_stopped(READ / 2).await
}

/// The offsets go on as if nothing had happened; the last record does not.
#[tokio::test]
async fn a_larger_topic_of_the_same_name_is_not_read_as_the_old_one() -> Result<()> {
    while_stopped(READ * 2).await
}

#[tokio::test]
async fn a_topic_of_the_same_size_and_name_is_not_read_as_the_old_one() -> Result<()> {
    while_stopped(READ).await
}

#[tokio::test]
async fn a_topic_replaced_by_a_smaller_one_under_a_reader_is_not_read_on() -> Result<()> {
    let (pipeline, expected, consumer) = read(Protocol::Classic).await?;
    replace(&pipeline, READ / 2).await?;
    halts(&pipeline, &expected, &consumer).await
}

#[tokio::test]
async fn a_topic_replaced_by_a_larger_one_under_a_reader_is_not_read_on() -> Result<()> {
    let (pipeline, expected, consumer) = read(Protocol::Classic).await?;
    replace(&pipeline, READ * 2).await?;
    halts(&pipeline, &expected, &consumer).await
}

#[tokio::test]
async fn a_topic_replaced_by_a_larger_one_under_a_frozen_reader_is_not_read_on() -> Result<()> {
    while_frozen(Protocol::Classic).await
}

#[tokio::test]
async fn a_topic_replaced_under_a_frozen_reader_is_not_read_on_by_the_new_protocol() -> Result<()> {
    while_frozen(Protocol::Consumer).await
}

/// The reader sees nothing of the time when there was no topic.
async fn while_frozen(protocol: Protocol) -> Result<()> {
    let (pipeline, expected, consumer) = read(protocol).await?;
    consumer.pause()?;
    replace(&pipeline, READ * 2).await?;
    consumer.resume()?;
    halts(&pipeline, &expected, &consumer).await
}

async fn while_stopped(size: usize) -> Result<()> {
    let (pipeline, expected, consumer) = read(Protocol::Classic).await?;
    pipeline.stop(&consumer).await?;
    replace(&pipeline, size).await?;
    let consumer = pipeline.start_consumer().await?;
    halts(&pipeline, &expected, &consumer).await
}

/// A topic that was read to its end, and what came of it.
async fn read(protocol: Protocol) -> Result<(Pipeline<'static>, Expected, Service)> {
    let pipeline = Pipeline::shared("recreated", PARTITIONS).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    kafka.publish(&pipeline.topic, spread(&mut generator, READ, PARTITIONS)).await?;
    let consumer = protocol.consumer(&pipeline).start_ready().await?;
    pipeline.verify().await?;
    let expected = Expected::of(&kafka.read_all(&pipeline.topic).await?);
    Ok((pipeline, expected, consumer))
}

async fn replace(pipeline: &Pipeline<'_>, each: usize) -> Result<()> {
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    kafka.delete_topic(&pipeline.topic).await?;
    kafka.create_audit_topic(&pipeline.topic, PARTITIONS).await?;
    kafka.publish(&pipeline.topic, spread(&mut generator, each, PARTITIONS)).await?;
    Ok(())
}

/// Nothing of the new topic is stored in the old one's place; as another stream it is read.
async fn halts(pipeline: &Pipeline<'_>, expected: &Expected, consumer: &Service) -> Result<()> {
    for partition in 0..PARTITIONS {
        is_halted(pipeline, consumer, partition, "recreated").await?;
    }
    pipeline.oracle().verify_against(expected).await?;
    pipeline.stop(consumer).await?;

    let other = Pipeline { group: format!("{}_other", pipeline.group), ..pipeline.clone() };
    let consumer = other.start_consumer().await?;
    other.oracle().settled(Duration::from_secs(180)).await?;
    pipeline.stop(&consumer).await
}
