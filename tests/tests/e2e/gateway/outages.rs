//! The database away, the broker gone, the gateway told to stop: what was acknowledged is kept.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use audit_tests::{
    gateway::{Gateway, acknowledged, lost},
    generator::Generator,
    kafka::KafkaCluster,
    pipeline::{Pipeline, Servers},
    postgres::PostgresServer,
    shared,
};
use chrono::Utc;

use super::load::{Load, accepted};

const SEED: u64 = 0x0A0D_2005;
/// How long anything may take that a test waits for, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test]
async fn publishing_does_not_notice_that_the_database_is_down() -> Result<()> {
    let postgres = PostgresServer::start_new(&[]).await?;
    let servers = Servers { kafka: shared::kafka().await?, postgres: &postgres };
    let pipeline = Pipeline::on(servers, "database_down", 2).await?;
    let consumer = pipeline.start_consumer().await?;
    let gateway = Gateway::start(servers.kafka.bootstrap(), &pipeline.topic).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let events = generator.events(40);
    let (before, during) = events.split_at(20);

    for event in before {
        acknowledged(&gateway.post(&event.value()).await?)?;
    }
    assert_eq!(pipeline.verify().await?.ids, 20);
    postgres.stop().await?;
    // Whatever waited for the database now would have no answer.
    for event in during {
        acknowledged(&gateway.post(&event.value()).await?)?;
    }
    assert!(consumer.status()?.is_none(), "the consumer waits for its database");
    postgres.start().await?;
    assert_eq!(pipeline.verify().await?.ids, 40);
    pipeline.stop(&consumer).await
}

/// The broker is killed and comes back: 503 within the deadline meanwhile, never a false 201, and
/// no restart of the gateway.
#[tokio::test]
async fn a_broker_that_was_killed_costs_no_acknowledged_event() -> Result<()> {
    let kafka = KafkaCluster::start(1).await?;
    let servers = Servers { kafka: &kafka, postgres: shared::postgres().await? };
    let pipeline = Pipeline::on(servers, "broker_killed", 2).await?;
    let gateway = Gateway::start_with(kafka.bootstrap(), &pipeline.topic, |gateway| {
        gateway.env("AUDIT_DEADLINE", "3s")
    })
    .await?;

    let load = Load::start(gateway.address, SEED + 10);
    load.accepts(200, PATIENCE).await?;
    kafka.kill(1).await?;
    let killed = Instant::now();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let restarted = Instant::now();
    kafka.restart(1).await?;
    load.accepts(200, PATIENCE).await?;
    let all = load.stop().await;

    let mut refused = 0;
    for sent in &all {
        let answer = match &sent.answer {
            Ok(answer) => answer,
            Err(error) => anyhow::bail!("a request was not answered: {error:#}"),
        };
        // The deadline, and what a busy machine adds to it; librdkafka would try for five minutes.
        ensure!(sent.took < Duration::from_secs(30), "{:?} {}", sent.took, answer.text());
        if answer.status != 201 {
            ensure!(answer.status == 503, "{} {}", answer.status, answer.text());
            ensure!(answer.header("retry-after").is_some(), "{answer:?}");
            refused += 1;
        }
        let down = sent.begun > killed && sent.begun + sent.took < restarted;
        ensure!(!(down && answer.status == 201), "a 201 while no broker ran");
    }
    assert!(refused > 0);
    let accepted = accepted(&all)?;
    let records = kafka.read_all(&pipeline.topic).await?;
    assert_eq!(lost(&accepted, &records), []);

    let consumer = pipeline.start_consumer().await?;
    let summary = pipeline.verify().await?;
    assert!(summary.ids >= accepted.len(), "{} of {}", summary.ids, accepted.len());
    pipeline.stop(&consumer).await
}

#[tokio::test]
async fn told_to_stop_under_load_it_answers_what_it_took_and_exits_with_0() -> Result<()> {
    let kafka = shared::kafka().await?;
    let topic = shared::unique("gateway_stopped");
    kafka.create_audit_topic(&topic, 2).await?;
    let gateway = Gateway::start(kafka.bootstrap(), &topic).await?;

    let load = Load::start(gateway.address, SEED + 20);
    load.accepts(100, PATIENCE).await?;
    let status = gateway.service.terminate(PATIENCE).await?;
    assert_eq!(status.code(), Some(0));
    let all = load.stop().await;

    for sent in &all {
        match &sent.answer {
            Ok(answer) => ensure!(answer.status == 201, "{} {}", answer.status, answer.text()),
            // Nothing listens any more. A connection that was accepted must have been answered.
            Err(error) => {
                let error = format!("{error:#}").to_lowercase();
                let refused =
                    error.contains("connection refused") || error.contains("reset by peer");
                ensure!(refused, "a request was cut off: {error}");
            }
        }
    }
    let accepted = accepted(&all)?;
    let records = kafka.read_all(&topic).await?;
    assert_eq!(lost(&accepted, &records), []);
    assert_eq!(records.len(), accepted.len(), "each request was answered with what became of it");
    Ok(())
}
