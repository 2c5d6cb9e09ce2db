//! A topic, a migrated database, and the consumers between them.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{
    binary::Binary,
    kafka::KafkaCluster,
    oracle::{Oracle, Summary},
    postgres::PostgresServer,
    service::Service,
    shared,
};

/// Where a test's events come from and go to.
#[derive(Clone, Copy, Debug)]
pub struct Servers<'a> {
    /// Where the topic is.
    pub kafka: &'a KafkaCluster,
    /// Where the database is.
    pub postgres: &'a PostgresServer,
}

impl Servers<'static> {
    /// The servers all tests share.
    ///
    /// # Errors
    /// They do not start.
    pub async fn shared() -> Result<Self> {
        Ok(Self { kafka: shared::kafka().await?, postgres: shared::postgres().await? })
    }
}

/// One stream: a topic, a consumer group, a database with its tables.
#[derive(Clone, Debug)]
pub struct Pipeline<'a> {
    /// The servers.
    pub servers: Servers<'a>,
    /// The topic.
    pub topic: String,
    /// The name of the database.
    pub database: String,
    /// The URL of the database, straight to the server.
    pub database_url: String,
    /// The consumer group.
    pub group: String,
}

impl Pipeline<'static> {
    /// On the shared servers, with a topic of so many partitions.
    ///
    /// # Errors
    /// The servers do not start, or the migration fails.
    pub async fn shared(name: &str, partitions: i32) -> Result<Self> {
        Self::on(Servers::shared().await?, name, partitions).await
    }
}

impl<'a> Pipeline<'a> {
    /// On these servers, with a topic of so many partitions.
    ///
    /// # Errors
    /// The topic or the database cannot be made, or the migration fails.
    pub async fn on(servers: Servers<'a>, name: &str, partitions: i32) -> Result<Self> {
        let name = shared::unique(name);
        let database_url = servers.postgres.create_database(&name).await?;
        Self::with_database(servers, &name, database_url, partitions).await
    }

    /// The same with an empty database that is there already.
    ///
    /// # Errors
    /// The topic cannot be made, or the migration fails.
    pub async fn with_database(
        servers: Servers<'a>,
        name: &str,
        database_url: String,
        partitions: i32,
    ) -> Result<Self> {
        servers.kafka.create_audit_topic(name, partitions).await?;
        let name = name.to_owned();
        let (database, group) = (name.clone(), name.clone());
        let pipeline = Self { servers, topic: name, database, database_url, group };
        pipeline.command("migrate").run().await?.success()?;
        Ok(pipeline)
    }

    /// `audit-consumer` with a subcommand and the database, straight to the server.
    pub fn command(&self, name: &str) -> Binary {
        Binary::new("audit-consumer").args([name]).env("AUDIT_DATABASE_URL", &self.database_url)
    }

    /// `audit-consumer run` on this stream. Sessions time out sooner than by default, so that a
    /// consumer that was killed is missed within seconds; starting it may take as long as a busy machine needs.
    pub fn consumer(&self) -> Binary {
        self.command("run")
            .env("AUDIT_BROKERS", self.servers.kafka.bootstrap())
            .env("AUDIT_TOPIC", &self.topic)
            .env("AUDIT_GROUP", &self.group)
            .env("AUDIT_KAFKA_PROPERTIES", "session.timeout.ms=6000,heartbeat.interval.ms=1000")
            .env("AUDIT_STARTUP_TIMEOUT", "2m")
            .env("AUDIT_LOG", "info,audit_consumer=debug")
    }

    /// A running consumer.
    ///
    /// # Errors
    /// It does not become ready.
    pub async fn start_consumer(&self) -> Result<Service> {
        self.consumer().start_ready().await
    }

    /// What the database must hold.
    #[must_use]
    pub fn oracle(&self) -> Oracle<'_> {
        Oracle {
            kafka: self.servers.kafka,
            topic: &self.topic,
            database: &self.database_url,
            stream: &self.group,
        }
    }

    /// Waits until all of the topic is accounted for and checks what is stored.
    ///
    /// # Errors
    /// It does not get there within five minutes, or something differs.
    pub async fn verify(&self) -> Result<Summary> {
        self.oracle().verify(Duration::from_secs(300)).await
    }

    /// Ends a consumer in the orderly way, which must succeed.
    ///
    /// # Errors
    /// It takes longer than two minutes, or exits with another code than 0.
    pub async fn stop(&self, consumer: &Service) -> Result<()> {
        let status = consumer.terminate(Duration::from_secs(120)).await?;
        ensure!(status.success(), "the consumer ended with {status}");
        Ok(())
    }
}
