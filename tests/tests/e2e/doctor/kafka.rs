//! What can be wrong with Kafka.

use std::{thread, time::Duration};

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    generator::{Generator, IdKind},
    kafka::{KafkaCluster, Record},
    pipeline::{Pipeline, Servers},
    shared,
};
use chrono::Utc;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};

use super::{Report, doctor};
use crate::database::PATIENCE;

const SEED: u64 = 0x0A0D_1031;

#[tokio::test]
async fn no_broker() -> Result<()> {
    let pipeline = Pipeline::shared("doctor_no_broker", 1).await?;
    let report = Report::of(&pipeline, &[("AUDIT_BROKERS", "127.0.0.1:9")]).await?;
    report.has("brokers", "bad", &["127.0.0.1:9", "--brokers"])?;
    for check in ["topic", "group", "broker clock"] {
        report.has(check, "skipped", &["no broker"])?;
    }
    report.has("schema", "good", &[])
}

#[tokio::test]
async fn no_topic() -> Result<()> {
    let pipeline = Pipeline::shared("doctor_no_topic", 1).await?;
    let report = Report::of(&pipeline, &[("AUDIT_TOPIC", "no.such.topic")]).await?;
    report.has("topic", "bad", &["no.such.topic", "audit-producer topic create"])?;
    assert!(!pipeline.servers.kafka.topics().await?.contains(&"no.such.topic".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_topic_that_is_set_otherwise() -> Result<()> {
    let pipeline = Pipeline::shared("doctor_topic", 1).await?;
    let kafka = pipeline.servers.kafka;
    let others = [
        ("message.timestamp.type", "CreateTime"),
        ("retention.ms", "604800000"),
        ("cleanup.policy", "compact"),
        ("max.message.bytes", "1048588"),
    ];
    kafka.alter_topic(&pipeline.topic, &others).await?;
    let report = Report::of(&pipeline, &[]).await?;
    for (name, value) in others {
        let how = format!("--topic {} --add-config {name}=", pipeline.topic);
        report.has(&format!("topic {name}"), "bad", &[value, &how])?;
    }
    report.has("topic retention.ms", "bad", &["3024000000 or more, or -1"])?;
    report.has("topic unclean.leader.election.enable", "good", &["false"])
}

/// A record from the future: its broker's clock is ahead, and the time it was written is told afterwards.
#[tokio::test]
async fn a_broker_ahead_of_us() -> Result<()> {
    let pipeline = Pipeline::shared("doctor_clock", 1).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    kafka.alter_topic(&pipeline.topic, &[("message.timestamp.type", "CreateTime")]).await?;
    let mut publish = async |ahead: Duration| {
        let time = (Utc::now() + ahead).timestamp_millis();
        let record = generator.event(IdKind::Dated).record();
        let record = Record { timestamp_ms: Some(time), ..record };
        kafka.publish(&pipeline.topic, vec![record]).await
    };
    publish(Duration::ZERO).await?;
    Report::of(&pipeline, &[]).await?.has("broker clock", "good", &["--probe-topic"])?;
    publish(Duration::from_secs(3600)).await?;
    kafka.alter_topic(&pipeline.topic, &[("message.timestamp.type", "LogAppendTime")]).await?;
    let report = Report::of(&pipeline, &[]).await?;
    report.has("broker clock", "bad", &["30 s or more ahead", "NTP"])
}

#[tokio::test]
async fn a_probe_topic_that_tells_nothing() -> Result<()> {
    let pipeline = Pipeline::shared("doctor_probe", 1).await?;
    let probe = format!("{}_create_time", pipeline.topic);
    let kafka = pipeline.servers.kafka;
    kafka.create_topic(&probe, 1, &[("message.timestamp.type", "CreateTime")]).await?;
    let report = Report::of(&pipeline, &[("AUDIT_PROBE_TOPIC", &probe)]).await?;
    report.has("broker clock", "warning", &[&probe, "message.timestamp.type=LogAppendTime"])?;
    let report = Report::of(&pipeline, &[("AUDIT_PROBE_TOPIC", "no.such.topic")]).await?;
    report.has("broker clock", "warning", &["no.such.topic", "--probe-topic"])?;

    let own = doctor(&pipeline).args(["--probe-topic", &pipeline.topic]).run().await?;
    assert_eq!((own.code, own.stdout.as_str()), (Some(2), ""), "{}", own.stderr);
    assert!(own.stderr.contains("--probe-topic"), "{}", own.stderr);
    Ok(())
}

#[tokio::test]
async fn an_eager_member() -> Result<()> {
    let pipeline = Pipeline::shared("doctor_eager", 1).await?;
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", pipeline.servers.kafka.bootstrap())
        .set("group.id", &pipeline.group)
        .set("partition.assignment.strategy", "range");
    let member: BaseConsumer = config.create()?;
    member.subscribe(&[&pipeline.topic])?;
    let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(1);
    let polling = thread::spawn(move || {
        while stopped.try_recv().is_err() {
            let _ = member.poll(Duration::from_millis(100));
        }
    });
    eventually(PATIENCE, "the member to be seen", async || {
        Report::of(&pipeline, &[]).await?.has("group", "bad", &["range", "--group"])
    })
    .await?;
    stop.send(())?;
    polling.join().expect("it does not panic");
    Ok(())
}

/// On three nodes, with too few that must have a record, and then with one of them down.
#[tokio::test]
async fn copies_of_the_topic() -> Result<()> {
    let kafka = KafkaCluster::start(3).await?;
    let servers = Servers { kafka: &kafka, postgres: shared::postgres().await? };
    let pipeline = Pipeline::on(servers, "doctor_copies", 3).await?;
    eventually(PATIENCE, "three brokers that know the topic", async || {
        let report = Report::of(&pipeline, &[]).await?;
        report.has("brokers", "good", &["3"])?;
        report.has("topic replicas", "good", &["3, all in sync"])?;
        report.has("topic min.insync.replicas", "good", &["2"])
    })
    .await?;
    kafka.alter_topic(&pipeline.topic, &[("min.insync.replicas", "1")]).await?;
    // Each broker has its own copy of the settings, and any of them may be asked.
    eventually(PATIENCE, "the setting to be found", async || {
        let report = Report::of(&pipeline, &[]).await?;
        report.has("topic min.insync.replicas", "bad", &["1", "min.insync.replicas=2"])
    })
    .await?;
    kafka.kill(3).await?;
    eventually(PATIENCE, "the node to be missed", async || {
        let report = Report::of(&pipeline, &[]).await?;
        ensure!(report.code == Some(3), "{report:#?}");
        report.has("topic replicas", "warning", &["not all replicas", "start the brokers"])
    })
    .await
}
