//! The servers, and a fresh database for each measurement.

use anyhow::Result;
use audit_tests::{kafka::KafkaCluster, postgres::PostgresServer};
use tokio_postgres::Client;

/// What the server is started with, on top of its own defaults, which are durable. No checkpoint and no vacuum
/// falls into some runs and not into others; commit times are what rates are taken from.
const SETTINGS: [(&str, &str); 7] = [
    ("shared_buffers", "1GB"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "1h"),
    ("autovacuum", "off"),
    ("track_commit_timestamp", "on"),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
];

pub(crate) struct Stage {
    pub(crate) kafka: KafkaCluster,
    pub(crate) postgres: PostgresServer,
}

impl Stage {
    pub(crate) async fn set() -> Result<Self> {
        let (kafka, postgres) =
            tokio::try_join!(KafkaCluster::start(1), PostgresServer::start_new(&SETTINGS))?;
        Ok(Self { kafka, postgres })
    }

    pub(crate) async fn create_topic(&self, topic: &str, partitions: i32) -> Result<()> {
        self.kafka.create_audit_topic(topic, partitions).await?;
        // As publishers send it.
        self.kafka.alter_topic(topic, &[("compression.type", "lz4")]).await
    }

    /// A copy of a database, to which nobody else is connected any more.
    pub(crate) async fn copy_database(&self, template: &str, name: &str) -> Result<()> {
        self.postgres.end_sessions(template).await?;
        let admin = self.postgres.connect("postgres").await?;
        // By files: through the log, a large one would take as much disk again.
        let sql = format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\" STRATEGY file_copy");
        Ok(admin.batch_execute(&sql).await?)
    }

    /// A copy of a template to be written into, with a checkpoint just behind.
    pub(crate) async fn fresh_database(&self, template: &str, name: &str) -> Result<Client> {
        self.copy_database(template, name).await?;
        let client = self.postgres.connect(name).await?;
        client.batch_execute("CHECKPOINT").await?;
        Ok(client)
    }

    pub(crate) async fn drop_database(&self, name: &str) -> Result<()> {
        let admin = self.postgres.connect("postgres").await?;
        Ok(admin.batch_execute(&format!("DROP DATABASE \"{name}\" WITH (FORCE)")).await?)
    }
}
