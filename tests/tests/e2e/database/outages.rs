//! PostgreSQL, or the way to it, is gone for a while.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    generator::Generator,
    pipeline::{Pipeline, Servers},
    postgres::PostgresServer,
    proxy::{Mode, Proxy},
    service::Service,
    shared,
};
use chrono::Utc;
use tokio::time::sleep;

use super::{PATIENCE, committed, consumer_through, mixture, new_ids};

const SEED: u64 = 0x0A0D_1002;

#[tokio::test]
async fn crashes_in_the_middle_of_a_stream() -> Result<()> {
    let postgres = PostgresServer::start_new(&[]).await?;
    let servers = Servers { kafka: shared::kafka().await?, postgres: &postgres };
    let pipeline = Pipeline::on(servers, "crash", 4).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let consumer = pipeline.consumer().env("AUDIT_BATCH_SIZE", "10");
    let consumers = [consumer.clone().start_ready().await?, consumer.start_ready().await?];
    for _ in 0..3 {
        let before = stored(&consumers).await?;
        servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 150, 4)).await?;
        eventually(PATIENCE, "the stream to be in its middle", async || {
            let now = stored(&consumers).await?;
            ensure!(now >= before + 20.0, "{now} records");
            Ok(())
        })
        .await?;
        postgres.crash().await?;
        postgres.start().await?;
    }
    pipeline.verify().await?;
    for consumer in &consumers {
        pipeline.stop(consumer).await?;
    }
    Ok(())
}

/// Partitions change hands while there is no database, for longer than max.poll.interval.ms: whoever
/// waits for the database must go on polling, or the group never comes to rest.
#[tokio::test]
async fn a_late_start_while_the_group_rebalances() -> Result<()> {
    let postgres = PostgresServer::start_new(&[]).await?;
    let servers = Servers { kafka: shared::kafka().await?, postgres: &postgres };
    let pipeline = Pipeline::on(servers, "late_start", 6).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let properties =
        "session.timeout.ms=6000,heartbeat.interval.ms=1000,max.poll.interval.ms=10000";
    let binary = pipeline.consumer().env("AUDIT_KAFKA_PROPERTIES", properties);
    let stays = binary.clone().start_ready().await?;
    let goes = binary.start_ready().await?;
    assigned(&stays, 3.0).await?;
    assigned(&goes, 3.0).await?;
    servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 60, 6)).await?;
    pipeline.verify().await?;

    postgres.crash().await?;
    servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 60, 6)).await?;
    goes.kill().await?;
    assigned(&stays, 6.0).await?;
    let rebalances = stays.metrics().await?.sum("kubernaut_audit_rebalances_total", &[]);
    // Not to wait for something: this is the outage.
    sleep(Duration::from_secs(12)).await;
    assigned(&stays, 6.0).await?;
    let now = stays.metrics().await?.sum("kubernaut_audit_rebalances_total", &[]);
    assert!((now - rebalances).abs() < 0.5, "{} rebalances in the outage", now - rebalances);
    assert!(!stays.log()?.contains("MAXPOLL"), "it stopped polling");

    postgres.start().await?;
    pipeline.verify().await?;
    pipeline.stop(&stays).await
}

#[tokio::test]
async fn connections_are_cut_at_any_moment() -> Result<()> {
    let pipeline = Pipeline::shared("cuts", 4).await?;
    let mut generator = Generator::new(SEED + 2, Utc::now());
    let proxy = Proxy::start(pipeline.servers.postgres.address())?;
    let consumer = consumer_through(&pipeline, &proxy).start_ready().await?;
    let kafka = pipeline.servers.kafka;
    // It is at work before its connections are cut.
    kafka.publish(&pipeline.topic, mixture(&mut generator, 40, 4)).await?;
    committed(&consumer, 1.0).await?;
    let mut moments = generator.clone();
    let mut rounds = 0;
    // So often that some of them meet it in the middle of something.
    while rounds < 10 || retries(&consumer).await? < 3.0 {
        ensure!(rounds < 500, "{rounds} rounds of cuts met nothing");
        kafka.publish(&pipeline.topic, mixture(&mut generator, 40, 4)).await?;
        for _ in 0..4 {
            sleep(Duration::from_millis(moments.random().u64(1..80))).await;
            proxy.cut_all();
        }
        rounds += 1;
    }
    pipeline.verify().await?;
    pipeline.stop(&consumer).await
}

/// The network swallows everything while a batch is written, until the server gives up on the
/// session: what it held must not hold up anyone.
#[tokio::test]
async fn a_stalled_network_and_back() -> Result<()> {
    let pipeline = Pipeline::shared("stall", 2).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED + 3, Utc::now());
    let proxy = Proxy::start(pipeline.servers.postgres.address())?;
    let consumer = consumer_through(&pipeline, &proxy).start_ready().await?;
    kafka.publish(&pipeline.topic, mixture(&mut generator, 20, 2)).await?;
    pipeline.verify().await?;

    // A lock keeps the batch in its transaction until the network stalls.
    let mut client = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let lock = client.transaction().await?;
    lock.batch_execute("LOCK TABLE audit_batch IN EXCLUSIVE MODE").await?;
    kafka.publish(&pipeline.topic, new_ids(&mut generator, 10)).await?;
    let watcher = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let sessions = async |condition: &str| -> Result<i64> {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND application_name = 'kubernaut-audit-consumer' AND {condition}"
        );
        Ok(watcher.query_one(&sql, &[]).await?.get(0))
    };
    eventually(PATIENCE, "a batch to wait for the lock", async || {
        ensure!(sessions("wait_event_type = 'Lock'").await? > 0, "none");
        Ok(())
    })
    .await?;
    proxy.set_mode(Mode::Stall);
    lock.rollback().await?;
    eventually(PATIENCE, "the batch's session to hang in its transaction", async || {
        ensure!(sessions("state LIKE 'idle in transaction%'").await? > 0, "none");
        Ok(())
    })
    .await?;
    eventually(PATIENCE, "the server to end that session", async || {
        ensure!(sessions("state LIKE 'idle in transaction%'").await? == 0, "it is there");
        Ok(())
    })
    .await?;
    kafka.publish(&pipeline.topic, mixture(&mut generator, 40, 2)).await?;
    proxy.set_mode(Mode::Forward);
    pipeline.verify().await?;
    pipeline.stop(&consumer).await
}

#[tokio::test]
async fn a_paused_server() -> Result<()> {
    let postgres = PostgresServer::start_new(&[]).await?;
    let servers = Servers { kafka: shared::kafka().await?, postgres: &postgres };
    let pipeline = Pipeline::on(servers, "pause", 4).await?;
    let mut generator = Generator::new(SEED + 4, Utc::now());
    let consumer = pipeline.consumer().env("AUDIT_BATCH_SIZE", "10").start_ready().await?;
    servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 100, 4)).await?;
    committed(&consumer, 20.0).await?;
    postgres.pause()?;
    servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 50, 4)).await?;
    // Not to wait for something: this is the outage.
    sleep(Duration::from_secs(5)).await;
    postgres.resume()?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await
}

async fn stored(consumers: &[Service]) -> Result<f64> {
    let mut sum = 0.0;
    for consumer in consumers {
        sum += consumer.metrics().await?.sum("kubernaut_audit_records_total", &[]);
    }
    Ok(sum)
}

async fn retries(consumer: &Service) -> Result<f64> {
    Ok(consumer.metrics().await?.sum("kubernaut_audit_retries_total", &[("sqlstate", "none")]))
}

async fn assigned(consumer: &Service, partitions: f64) -> Result<()> {
    eventually(PATIENCE, &format!("{partitions} partitions"), async || {
        let now = consumer.metrics().await?.sum("kubernaut_audit_assigned_partitions", &[]);
        ensure!((now - partitions).abs() < 0.5, "{now}");
        Ok(())
    })
    .await
}
