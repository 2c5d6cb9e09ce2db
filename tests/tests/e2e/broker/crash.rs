//! Brokers that are gone for a while.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    generator::Generator,
    kafka::{Acknowledged, KafkaCluster},
    load::publish_during,
    oracle::Expected,
    pipeline::{Pipeline, Servers},
    shared,
};
use chrono::Utc;

const SEED: u64 = 0x0A0D_0201;
/// Longer than the 3 s after which a silent member is missed.
const LONGER_THAN_THE_SESSION: Duration = Duration::from_secs(5);
/// What a deployment gives it: ten seconds more than it takes at the most, which a busy machine may need.
const GRACE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_only_broker_crashes_and_comes_back() -> Result<()> {
    let kafka = KafkaCluster::start(1).await?;
    let pipeline = on(&kafka, "crash", 2).await?;
    let consumer = pipeline.start_consumer().await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let crash = async {
        pipeline.reaches(200).await?;
        kafka.kill(1).await?;
        kafka.restart(1).await?;
        pipeline.reaches(pipeline.accounted_for().await? + 200).await
    };
    let (acknowledged, ()) = publish_during(&pipeline, &mut generator, crash).await?;
    pipeline.verify().await?;
    nothing_acknowledged_is_missing(&pipeline, &acknowledged).await?;
    pipeline.stop(&consumer).await
}

/// Frozen, it answers nobody, and when it goes on it takes every member for dead.
#[tokio::test]
async fn the_only_broker_is_frozen_for_longer_than_the_session() -> Result<()> {
    let kafka = KafkaCluster::start(1).await?;
    let pipeline = on(&kafka, "frozen", 2).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let start = async || {
        let properties = "session.timeout.ms=3000,heartbeat.interval.ms=500";
        pipeline.consumer().env("AUDIT_KAFKA_PROPERTIES", properties).start_ready().await
    };
    let (first, second) = (start().await?, start().await?);
    let freeze = async {
        pipeline.owned_by(&[&first, &second]).await?;
        kafka.pause(1)?;
        // The fault itself, not a wait for something.
        tokio::time::sleep(LONGER_THAN_THE_SESSION).await;
        kafka.resume(1)?;
        pipeline.reaches(pipeline.accounted_for().await? + 200).await?;
        pipeline.owned_by(&[&first, &second]).await
    };
    publish_during(&pipeline, &mut generator, freeze).await?;
    pipeline.verify().await?;
    pipeline.stop(&first).await?;
    pipeline.stop(&second).await
}

/// Nobody answers the goodbye, and still the consumer ends in time, with what it had received stored.
#[tokio::test]
async fn a_consumer_stops_in_time_while_the_broker_is_frozen() -> Result<()> {
    let kafka = KafkaCluster::start(1).await?;
    let pipeline = on(&kafka, "goodbye", 4).await?;
    let mut generator = Generator::new(SEED + 2, Utc::now());
    let consumer = pipeline.start_consumer().await?;
    publish_during(&pipeline, &mut generator, pipeline.reaches(200)).await?;
    kafka.pause(1)?;
    eventually(Duration::from_secs(180), "the consumer to miss the broker", async || {
        ensure!(consumer.log()?.contains("cannot see how far the stream is"), "not yet");
        Ok(())
    })
    .await?;
    let status = consumer.terminate(GRACE).await?;
    ensure!(status.success(), "the consumer ended with {status}");
    kafka.resume(1)?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await
}

/// With three brokers and two in sync, a dead leader costs nothing that was acknowledged.
#[tokio::test]
async fn the_leader_of_three_brokers_is_killed() -> Result<()> {
    let kafka = KafkaCluster::start(3).await?;
    let pipeline = on(&kafka, "leader", 3).await?;
    let consumer = pipeline.start_consumer().await?;
    let mut generator = Generator::new(SEED + 3, Utc::now());
    let kill = async {
        pipeline.reaches(200).await?;
        let leader = kafka.leader_of(&pipeline.topic, 0).await?;
        kafka.kill(leader).await?;
        kafka.leader_of(&pipeline.topic, 0).await?;
        pipeline.reaches(pipeline.accounted_for().await? + 400).await?;
        kafka.restart(leader).await?;
        pipeline.reaches(pipeline.accounted_for().await? + 200).await
    };
    let (acknowledged, ()) = publish_during(&pipeline, &mut generator, kill).await?;
    pipeline.verify().await?;
    nothing_acknowledged_is_missing(&pipeline, &acknowledged).await?;
    pipeline.stop(&consumer).await
}

async fn on<'a>(kafka: &'a KafkaCluster, name: &str, partitions: i32) -> Result<Pipeline<'a>> {
    let servers = Servers { kafka, postgres: shared::postgres().await? };
    Pipeline::on(servers, name, partitions).await
}

/// The oracle compares with what the topic holds; this is about whether the topic still holds it.
async fn nothing_acknowledged_is_missing(
    pipeline: &Pipeline<'_>,
    acknowledged: &[Acknowledged],
) -> Result<()> {
    let expected = Expected::of(&pipeline.servers.kafka.read_all(&pipeline.topic).await?);
    let missing = expected.missing(acknowledged);
    ensure!(missing.is_empty(), "acknowledged and lost: {missing:?}");
    Ok(())
}
