//! The servers, and a fresh stream for each measurement.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use audit_tests::{
    binary::Binary,
    kafka::KafkaCluster,
    pipeline::{Pipeline, Servers},
    postgres::PostgresServer,
    service::Service,
    shared::unique,
};
use tokio_postgres::Client;

/// The database that all others are copies of: migrated, with the months that events may fall into.
const TEMPLATE: &str = "template";
/// What the server is started with, on top of its own defaults, which are durable. Autovacuum is on and checkpoints
/// happen, as they do in production; commit times are what the figures are taken from.
const SETTINGS: [(&str, &str); 6] = [
    ("shared_buffers", "1GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_completion_target", "0.9"),
    ("track_commit_timestamp", "on"),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
];
/// Between two looks at how far a stream is: seldom, since looking costs the database.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long it may take without any progress.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a consumer may take to end.
const END: Duration = Duration::from_secs(30);

pub(super) struct Site {
    pub(super) kafka: KafkaCluster,
    pub(super) postgres: PostgresServer,
}

impl Site {
    pub(super) async fn set() -> Result<Self> {
        let (kafka, postgres) =
            tokio::try_join!(KafkaCluster::start(1), PostgresServer::start_new(&SETTINGS))?;
        let url = postgres.create_database(TEMPLATE).await?;
        let migrate = Binary::new("audit-consumer").args(["migrate"]);
        migrate.env("AUDIT_DATABASE_URL", url).run().await?.success()?;
        let months = "SELECT audit_add_partition((now() + n * interval '1 month')::date) FROM generate_series(-1, 3) AS n";
        postgres.connect(TEMPLATE).await?.batch_execute(months).await?;
        Ok(Self { kafka, postgres })
    }

    /// A topic with an empty database and a group that nobody has read with; a checkpoint is just behind.
    pub(super) async fn stream(&self, topic: &str) -> Result<Pipeline<'_>> {
        self.postgres.end_sessions(TEMPLATE).await?;
        let name = unique("measured");
        let admin = self.postgres.connect("postgres").await?;
        admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await?;
        admin.batch_execute("CHECKPOINT").await?;
        Ok(Pipeline {
            servers: Servers { kafka: &self.kafka, postgres: &self.postgres },
            topic: topic.to_owned(),
            database_url: self.postgres.url(&name),
            database: name.clone(),
            group: name,
        })
    }

    pub(super) async fn drop_stream(&self, stream: Pipeline<'_>) -> Result<()> {
        let admin = self.postgres.connect("postgres").await?;
        let sql = format!("DROP DATABASE {} WITH (FORCE)", stream.database);
        Ok(admin.batch_execute(&sql).await?)
    }
}

/// A consumer with the product's own defaults.
pub(super) fn consumer(stream: &Pipeline<'_>) -> Binary {
    stream
        .command("run")
        .env("AUDIT_BROKERS", stream.servers.kafka.bootstrap())
        .env("AUDIT_TOPIC", &stream.topic)
        .env("AUDIT_GROUP", &stream.group)
        .quiet()
}

/// Ends a consumer in the orderly way.
pub(super) async fn end(consumer: &Service) -> Result<()> {
    let status = consumer.terminate(END).await?;
    ensure!(status.success(), "a consumer ended with {status}");
    Ok(())
}

/// Waits until `enough` holds of the number of offsets that are accounted for.
pub(super) async fn until_accounted(
    client: &Client,
    consumers: &[Service],
    mut enough: impl FnMut(i64) -> bool,
) -> Result<()> {
    let sql = "SELECT coalesce(sum(next_offset - start_offset), 0)::bigint FROM audit_stream";
    let statement = client.prepare(sql).await?;
    let (mut passed, mut since) = (None, Instant::now());
    loop {
        let now: i64 = client.query_one(&statement, &[]).await?.try_get(0)?;
        if enough(now) {
            return Ok(());
        }
        if passed != Some(now) {
            (passed, since) = (Some(now), Instant::now());
        }
        for consumer in consumers {
            if let Some(status) = consumer.status()? {
                bail!("a consumer ended with {status}: {}", consumer.log_tail(20));
            }
        }
        ensure!(since.elapsed() < PATIENCE, "no progress since {now} offsets");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The server's clock, in microseconds since the Unix epoch.
pub(super) async fn server_time(client: &Client) -> Result<i64> {
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    client.query_one(sql, &[]).await?.try_get(0).context("the server's clock")
}

/// Our clock, which is the server's: in microseconds since the Unix epoch.
pub(super) fn our_time() -> i64 {
    chrono::Utc::now().timestamp_micros()
}
