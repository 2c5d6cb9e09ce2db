//! Everything that takes part, started in the order an operator would start it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use audit_schema::topic::TOPIC;
use audit_tests::{
    binary::Binary,
    eventually,
    gateway::Gateway,
    kafka::KafkaCluster,
    oracle::Oracle,
    postgres::{PostgresServer, connect},
    screen::Screen,
    service::Service,
};
use tokio_postgres::Client;

/// The consumer group, and the name of the stream in the database.
pub(crate) const GROUP: &str = "kubernaut-audit";
pub(crate) const PARTITIONS: u16 = 6;

pub(crate) struct Stage {
    // Fields are dropped in this order: those that use something end before it does.
    pub(crate) consumers: [Service; 2],
    pub(crate) gateway: Gateway,
    pub(crate) kafka: KafkaCluster,
    pub(crate) database_url: String,
    _postgres: PostgresServer,
}

impl Stage {
    pub(crate) async fn set(screen: &Screen) -> Result<Self> {
        screen
            .step("starting Apache Kafka and PostgreSQL on free ports, in temporary directories")?;
        let (kafka, postgres) =
            tokio::try_join!(KafkaCluster::start(1), PostgresServer::start_new(&[]))?;
        let database_url = postgres.create_database("audit").await?;

        let partitions = PARTITIONS.to_string();
        let topic = ["topic", "create", "--partitions", &partitions, "--replication-factor", "1"];
        let brokers = kafka.bootstrap();
        let created = Binary::new("audit-producer").args(topic).env("AUDIT_BROKERS", brokers).run();
        screen.step(format!(
            "audit-producer topic create: {}",
            created.await?.success()?.trim_end()
        ))?;
        let migrate = Binary::new("audit-consumer").args(["migrate"]);
        let migrated = migrate.env("AUDIT_DATABASE_URL", &database_url).run().await?.success()?;
        let migrated = migrated.lines().collect::<Vec<_>>().join(", ");
        screen.step(format!("audit-consumer migrate: {migrated}"))?;

        let consumer = || {
            Binary::new("audit-consumer")
                .args(["run"])
                .env("AUDIT_BROKERS", brokers)
                .env("AUDIT_DATABASE_URL", &database_url)
                // A consumer that was killed is missed after 6 s; the default of 45 s suits pods
                // that are moved more than demos.
                .env("AUDIT_KAFKA_PROPERTIES", "session.timeout.ms=6000,heartbeat.interval.ms=1000")
                .quiet()
                .start_ready()
        };
        let gateway = Gateway::start_with(brokers, TOPIC, Binary::quiet);
        let (gateway, first, second) = tokio::try_join!(gateway, consumer(), consumer())?;
        let stage =
            Self { consumers: [first, second], gateway, kafka, database_url, _postgres: postgres };
        let shares = stage.partitions_shared().await?;
        screen.step(format!(
            "a gateway and two consumers are running; the consumers own {} and {} of the {PARTITIONS} partitions",
            shares[0], shares[1]
        ))?;
        Ok(stage)
    }

    pub(crate) async fn database(&self) -> Result<Client> {
        connect(&self.database_url).await
    }

    pub(crate) fn oracle(&self) -> Oracle<'_> {
        Oracle { kafka: &self.kafka, topic: TOPIC, database: &self.database_url, stream: GROUP }
    }

    /// How many partitions a consumer writes now.
    pub(crate) async fn owned_by(&self, consumer: usize, database: &Client) -> Result<i64> {
        let sql = "SELECT count(*) FROM audit_stream WHERE owner LIKE '%/' || $1::text";
        let process = self.consumers[consumer].pid().to_string();
        Ok(database.query_one(sql, &[&process]).await?.try_get(0)?)
    }

    /// The last lines of the consumers' logs, for when something went wrong.
    pub(crate) fn logs(&self) -> String {
        let tails = self.consumers.iter().map(|consumer| consumer.log_tail(10));
        format!("the consumers' last lines:\n{}", tails.collect::<Vec<_>>().join("\n"))
    }

    /// Waits until both consumers have their share.
    async fn partitions_shared(&self) -> Result<[i64; 2]> {
        let database = self.database().await?;
        eventually(Duration::from_secs(30), "both consumers to own partitions", async || {
            let shares = [self.owned_by(0, &database).await?, self.owned_by(1, &database).await?];
            ensure!(shares[0] > 0 && shares[1] > 0, "{shares:?}");
            ensure!(shares[0] + shares[1] == i64::from(PARTITIONS), "{shares:?}");
            Ok(shares)
        })
        .await
        .with_context(|| self.logs())
    }
}
