//! The servers, the topic, and a fresh database for each measurement.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    kafka::KafkaCluster,
    oracle::Counts,
    pipeline::{Pipeline, Servers},
    postgres::PostgresServer,
};
use tokio_postgres::Client;

use crate::{rows::Rows, settings::Settings, variants};

const PARTITIONS: i32 = 12;
/// The database that all others are copies of.
const TEMPLATE: &str = "rehearsal";
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
const TABLES: &str = "workflow_execution_audit, workflow_execution_audit_history, audit_id, audit_dead_letter, \
    audit_batch, audit_stream";

pub(crate) struct Stage {
    pub(crate) kafka: KafkaCluster,
    pub(crate) postgres: PostgresServer,
    pub(crate) events: u32,
}

impl Stage {
    pub(crate) async fn set(settings: &Settings) -> Result<Self> {
        let (kafka, postgres) =
            tokio::try_join!(KafkaCluster::start(1), PostgresServer::start_new(&SETTINGS))?;
        kafka.create_audit_topic(TEMPLATE, PARTITIONS).await?;
        // As publishers send it.
        kafka.alter_topic(TEMPLATE, &[("compression.type", "lz4")]).await?;
        Ok(Self { kafka, postgres, events: settings.events() })
    }

    pub(crate) fn topic(&self) -> &'static str {
        TEMPLATE
    }

    /// Stores the topic once, has the oracle compare every record with what is stored, and keeps the rows. The
    /// database is left empty, with the partitions the consumer has made: the template of all others.
    pub(crate) async fn rehearse(&self) -> Result<Rows> {
        let database_url = self.postgres.create_database(TEMPLATE).await?;
        let pipeline = Pipeline {
            servers: Servers { kafka: &self.kafka, postgres: &self.postgres },
            topic: TEMPLATE.to_owned(),
            database: TEMPLATE.to_owned(),
            database_url,
            group: TEMPLATE.to_owned(),
        };
        pipeline.command("migrate").run().await?.success()?;
        variants::consumer::drain(self, TEMPLATE, 2).await?;
        let found = pipeline.oracle().verify(Duration::from_secs(60)).await?;
        let stored = Counts { stored: self.events.into(), ..Counts::default() };
        ensure!(found.ledger == stored, "the ledger says {:?}", found.ledger);

        let client = self.postgres.connect(TEMPLATE).await?;
        let rows = Rows::read(&client).await?;
        client.batch_execute(&format!("TRUNCATE {TABLES}")).await?;
        Ok(rows)
    }

    /// An empty database with all tables and partitions, and a checkpoint just behind.
    pub(crate) async fn fresh_database(&self, name: &str) -> Result<Client> {
        self.postgres.end_sessions(TEMPLATE).await?;
        let admin = self.postgres.connect("postgres").await?;
        admin.batch_execute(&format!("CREATE DATABASE \"{name}\" TEMPLATE {TEMPLATE}")).await?;
        admin.batch_execute("CHECKPOINT").await?;
        self.postgres.connect(name).await
    }

    pub(crate) async fn drop_database(&self, name: &str) -> Result<()> {
        let admin = self.postgres.connect("postgres").await?;
        Ok(admin.batch_execute(&format!("DROP DATABASE \"{name}\" WITH (FORCE)")).await?)
    }
}
