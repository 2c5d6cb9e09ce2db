//! PostgreSQL answers, and refuses.

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    generator::Generator,
    http,
    pipeline::{Pipeline, Servers},
    postgres::{PostgresServer, connect},
    shared,
};
use chrono::Utc;

use super::{PATIENCE, committed, mixture, retried};

const SEED: u64 = 0x0A0D_1003;

/// What is seen of a fail-over by those connected to the old primary. The first refusal has SQLSTATE
/// 25006; then the client looks for a server that takes writes, and finding none has no SQLSTATE.
#[tokio::test]
async fn read_only_after_a_fail_over() -> Result<()> {
    let postgres = PostgresServer::start_new(&[]).await?;
    let servers = Servers { kafka: shared::kafka().await?, postgres: &postgres };
    let pipeline = Pipeline::on(servers, "read_only", 2).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let consumer = pipeline.consumer().env("AUDIT_BATCH_SIZE", "20").start_ready().await?;
    servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 40, 2)).await?;
    committed(&consumer, 20.0).await?;

    postgres.set_read_only(true).await?;
    servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 40, 2)).await?;
    retried(&consumer, "25006", 1.0).await?;
    retried(&consumer, "none", 3.0).await?;
    // An outage is told, and is no reason to replace the consumer.
    eventually(PATIENCE, "the outage to be told", async || {
        let ready = http::get(consumer.admin(), "/readyz?verbose").await?;
        ensure!(ready.status == 200 && ready.text().contains("database"), "{}", ready.text());
        Ok(())
    })
    .await?;
    postgres.set_read_only(false).await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await
}

#[tokio::test]
async fn a_full_disk() -> Result<()> {
    // A vacuum could make room for what is to fail.
    let postgres = PostgresServer::start_new(&[("autovacuum", "off")]).await?;
    let Some(disk) = postgres.small_disk(96).await? else { return Ok(()) };
    let servers = Servers { kafka: shared::kafka().await?, postgres: &postgres };
    let name = shared::unique("disk_full");
    let url = postgres.create_database_on(&disk, &name).await?;
    let pipeline = Pipeline::with_database(servers, &name, url, 2).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let consumer = pipeline.consumer().env("AUDIT_BATCH_SIZE", "100").start_ready().await?;
    servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 100, 2)).await?;
    committed(&consumer, 100.0).await?;

    disk.fill()?;
    servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 400, 2)).await?;
    retried(&consumer, "53100", 3.0).await?;
    disk.free()?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await
}

#[tokio::test]
async fn too_many_connections() -> Result<()> {
    let settings = [("max_connections", "15"), ("superuser_reserved_connections", "0")];
    let postgres = PostgresServer::start_new(&settings).await?;
    let servers = Servers { kafka: shared::kafka().await?, postgres: &postgres };
    let pipeline = Pipeline::on(servers, "crowded", 2).await?;
    let mut generator = Generator::new(SEED + 2, Utc::now());
    let consumer = pipeline.start_consumer().await?;
    servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 40, 2)).await?;
    committed(&consumer, 20.0).await?;

    // Others take every place, those that the consumer had as well.
    let mut others = Vec::new();
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE application_name = 'kubernaut-audit-consumer'";
    let first = connect(&postgres.url("postgres")).await?;
    eventually(PATIENCE, "the consumer to have no connection", async || {
        while let Ok(other) = connect(&postgres.url("postgres")).await {
            others.push(other);
        }
        let ended: i64 = first.query_one(end, &[]).await?.get(0);
        ensure!(ended == 0, "{ended} connections");
        Ok(())
    })
    .await?;
    servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 40, 2)).await?;
    retried(&consumer, "53300", 3.0).await?;
    let late = pipeline.consumer().env("AUDIT_STARTUP_TIMEOUT", "1h").start()?;
    eventually(PATIENCE, "another consumer to wait for a place", async || {
        ensure!(late.log()?.contains("53300"), "it does not say so");
        Ok(())
    })
    .await?;
    drop((first, others));
    late.ready().await?;
    pipeline.verify().await?;
    pipeline.stop(&late).await?;
    pipeline.stop(&consumer).await
}
