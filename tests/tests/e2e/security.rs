//! TLS and authentication, to both servers: what works, and one clear line for each thing that is wrong.

use anyhow::{Result, ensure};
use audit_tests::{
    binary::Binary,
    gateway::{Gateway, acknowledged},
    generator::Generator,
    pipeline::{Pipeline, Servers},
    secured::{self, ALICE, ALICE_PASSWORD, SecuredKafka},
    shared,
};
use chrono::Utc;

mod kafka;
mod postgres;

const SEED: u64 = 0x0A0D_7150;

/// Properties of librdkafka as `AUDIT_KAFKA_PROPERTIES` takes them.
fn properties(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

/// A file with all that a SCRAM client needs, password included.
fn scram_file(kafka: &SecuredKafka, mechanism: &str, user: &str, password: &str) -> Result<String> {
    let ca = kafka.files.path("ca.pem");
    let pairs = [
        ("security.protocol", "SASL_SSL"),
        ("ssl.ca.location", &ca),
        ("sasl.mechanisms", mechanism),
        ("sasl.username", user),
        ("sasl.password", password),
    ];
    kafka.files.write(&shared::unique("properties"), &properties(&pairs))
}

/// Gateway to Kafka by TLS and password, consumer to PostgreSQL by TLS and certificate, all names checked.
#[tokio::test]
async fn the_whole_way() -> Result<()> {
    let (kafka, postgres) = (secured::kafka().await?, secured::postgres().await?);
    let name = shared::unique("secured");
    postgres.create_database(&name).await?;
    let url = postgres.certified_url(&name);
    Binary::new("audit-consumer")
        .args(["migrate"])
        .env("AUDIT_DATABASE_URL", &url)
        .run()
        .await?
        .success()?;
    let servers = Servers { kafka: &kafka.cluster, postgres: &postgres.server };
    let pipeline = Pipeline::with_database(servers, &name, postgres.server.url(&name), 2).await?;

    let brokers = kafka.cluster.bootstrap_of("SCRAM")?;
    let file = scram_file(kafka, "SCRAM-SHA-256", ALICE, ALICE_PASSWORD)?;
    Binary::new("audit-producer")
        .args(["topic", "check", "--brokers", &brokers, "--topic", &pipeline.topic])
        .env("AUDIT_KAFKA_PROPERTIES_FILE", &file)
        .run()
        .await?
        .success()?;
    let gateway = Gateway::start_with(&brokers, &pipeline.topic, |gateway| {
        gateway.env("AUDIT_KAFKA_PROPERTIES_FILE", &file)
    })
    .await?;
    let stronger = scram_file(kafka, "SCRAM-SHA-512", ALICE, ALICE_PASSWORD)?;
    let consumer = pipeline
        .consumer()
        .env("AUDIT_BROKERS", &brokers)
        .env("AUDIT_KAFKA_PROPERTIES_FILE", stronger)
        .env("AUDIT_DATABASE_URL", url)
        .start_ready()
        .await?;
    for event in Generator::new(SEED, Utc::now()).events(20) {
        acknowledged(&gateway.post(&event.value()).await?)?;
    }
    pipeline.verify().await?;

    let sql = "SELECT client_dn FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
               WHERE usename = 'certified' AND datname = $1 AND ssl";
    let sessions = postgres.server.connect(&name).await?.query(sql, &[&name]).await?;
    ensure!(!sessions.is_empty(), "the consumer has no session with TLS");
    for session in sessions {
        assert_eq!(session.get::<_, Option<&str>>(0), Some("/CN=certified"));
    }
    for log in [gateway.service.log()?, consumer.log()?] {
        assert!(!log.contains(ALICE_PASSWORD), "{log}");
    }
    pipeline.stop(&consumer).await
}
