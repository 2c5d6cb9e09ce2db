//! Everything that can be wrong on the way to Kafka.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    binary::Binary,
    eventually,
    gateway::Gateway,
    generator::Generator,
    http,
    pipeline::{Pipeline, Servers},
    secured::{self, ALICE, ALICE_PASSWORD},
    service::Service,
    shared,
};
use chrono::Utc;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{SEED, properties, scram_file};
use crate::cli::{SECRET, names, only_complaint};

/// How long anything may take that a test waits for, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
/// Cases that run at once; each mostly waits.
const AT_ONCE: usize = 6;

/// Listener, properties, exit code, and what the line has to name.
type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, i32, &'static [&'static str]);

/// Both binaries say in one line what is wrong and which property to mend.
#[tokio::test]
async fn each_wrong_thing_is_one_clear_line() -> Result<()> {
    let kafka = secured::kafka().await?;
    let servers = Servers { kafka: &kafka.cluster, postgres: shared::postgres().await? };
    let pipeline = Pipeline::on(servers, "refused", 1).await?;
    let file = |name: &str| kafka.files.path(name);
    let (ca, other_ca, missing) = (&*file("ca.pem"), &*file("other-ca.pem"), &*file("missing.pem"));
    let (good, good_key) = (&*file("certified.pem"), &*file("certified.key"));
    let (stranger, stranger_key) = (&*file("stranger.pem"), &*file("stranger.key"));

    let ssl = ("security.protocol", "SSL");
    let sasl = ("security.protocol", "SASL_SSL");
    let trusted = ("ssl.ca.location", ca);
    let (alice, wrong) = (("sasl.username", ALICE), ("sasl.password", SECRET));
    let scram = ("sasl.mechanisms", "SCRAM-SHA-256");
    let certificate = ("ssl.certificate.location", good);
    let cases: Vec<Case<'_>> = vec![
        ("TLS", vec![], 1, &["speaks TLS", "security.protocol to SSL"]),
        (
            "PLAINTEXT",
            vec![ssl, trusted],
            1,
            &["does not speak TLS", "security.protocol to PLAINTEXT"],
        ),
        ("TLS", vec![ssl, ("ssl.ca.location", other_ca)], 1, &["not signed by", "ssl.ca.location"]),
        ("TLS", vec![ssl], 1, &["not signed by", "ssl.ca.location"]),
        ("EXPIRED", vec![ssl, trusted], 1, &["certificate has expired", "renew it on the server"]),
        ("ELSEWHERE", vec![ssl, trusted], 1, &["elsewhere.example", "not for 127.0.0.1"]),
        (
            "MUTUAL",
            vec![ssl, trusted],
            1,
            &["want a client certificate", "ssl.certificate.location"],
        ),
        (
            "MUTUAL",
            vec![ssl, trusted, certificate],
            1,
            &["ssl.certificate.location", "ssl.key.location"],
        ),
        (
            "MUTUAL",
            vec![
                ssl,
                trusted,
                ("ssl.certificate.location", stranger),
                ("ssl.key.location", stranger_key),
            ],
            1,
            &[
                "does not accept the certificate",
                "ssl.certificate.location",
                "authority it does not know",
            ],
        ),
        (
            "MUTUAL",
            vec![ssl, trusted, certificate, ("ssl.key.location", stranger_key)],
            2,
            &["ssl.key.location is not the key of ssl.certificate.location"],
        ),
        ("SCRAM", vec![sasl, trusted, scram, alice, wrong], 1, &["credentials", "sasl.password"]),
        (
            "SCRAM",
            vec![sasl, trusted, scram, ("sasl.username", "nobody"), wrong],
            1,
            &["credentials", "sasl.username"],
        ),
        (
            "SCRAM",
            vec![sasl, trusted, ("sasl.mechanisms", "PLAIN"), alice, wrong],
            1,
            &["sasl.mechanisms", "SCRAM-SHA-512"],
        ),
        ("SCRAM", vec![sasl, trusted, alice, wrong], 2, &["sasl.mechanisms", "SCRAM-SHA-256"]),
        ("SCRAM", vec![sasl, trusted, scram], 2, &["sasl.username and sasl.password must be set"]),
        ("SCRAM", vec![ssl, trusted], 1, &["want SASL", "security.protocol to SASL_SSL"]),
        (
            "SCRAM",
            vec![("security.protocol", "SASL_PLAINTEXT"), scram, alice, wrong],
            1,
            &["speaks TLS", "security.protocol to SASL_SSL"],
        ),
        (
            "TLS",
            vec![sasl, trusted, scram, alice, wrong],
            1,
            &["not take SASL", "security.protocol to SSL"],
        ),
        (
            "TLS",
            vec![ssl, ("ssl.ca.location", missing)],
            2,
            &["ssl.ca.location", "missing.pem", "No such file"],
        ),
        ("TLS", vec![ssl, ("ssl.ca.location", good_key)], 2, &["ssl.ca.location", "PEM"]),
        (
            "MUTUAL",
            vec![ssl, trusted, certificate, ("ssl.key.location", missing)],
            2,
            &["ssl.key.location", "missing.pem", "No such file"],
        ),
    ];
    let check = async |(listener, pairs, code, words): Case<'_>| -> Result<()> {
        let brokers = match listener {
            "PLAINTEXT" => kafka.cluster.bootstrap().to_owned(),
            listener => kafka.cluster.bootstrap_of(listener)?,
        };
        let topic = Binary::new("audit-producer")
            .args(["topic", "check", "--topic", &pipeline.topic])
            .env("AUDIT_LOG", "off");
        let run = pipeline.consumer().env("AUDIT_STARTUP_TIMEOUT", "1s").env("AUDIT_LOG", "off");
        for binary in [topic, run.env("AUDIT_ADMIN_LISTEN", "127.0.0.1:0")] {
            let output = binary
                .env("AUDIT_BROKERS", &brokers)
                .env("AUDIT_KAFKA_PROPERTIES", properties(&pairs))
                .run()
                .await?;
            let line = only_complaint(&output, code);
            names(line, words);
        }
        Ok(())
    };
    stream::iter(cases).map(check).buffer_unordered(AT_ONCE).try_collect::<()>().await
}

/// What works: a client certificate.
#[tokio::test]
async fn a_client_certificate() -> Result<()> {
    let kafka = secured::kafka().await?;
    let topic = shared::unique("mutual");
    let (ca, certificate) = (kafka.files.path("ca.pem"), kafka.files.path("certified.pem"));
    let key = kafka.files.path("certified.key");
    let pairs = [
        ("security.protocol", "SSL"),
        ("ssl.ca.location", &*ca),
        ("ssl.certificate.location", &*certificate),
        ("ssl.key.location", &*key),
    ];
    let create = Binary::new("audit-producer")
        .args(["topic", "create", "--replication-factor", "1", "--partitions", "1"])
        .env("AUDIT_BROKERS", kafka.cluster.bootstrap_of("MUTUAL")?)
        .env("AUDIT_TOPIC", &topic)
        .env("AUDIT_KAFKA_PROPERTIES", properties(&pairs));
    let said = create.run().await?.success()?;
    assert!(said.contains(&topic), "{said}");
    Ok(())
}

async fn ready(service: &Service) -> Result<String> {
    let ready = http::get(service.admin(), "/readyz?verbose").await?;
    ensure!(ready.status == 200, "{} {}", ready.status, ready.text());
    Ok(ready.text())
}

/// A gateway is ready without Kafka, so it says by log and `/readyz?verbose` that it cannot log in.
#[tokio::test]
async fn a_gateway_with_a_wrong_password() -> Result<()> {
    let kafka = secured::kafka().await?;
    let topic = shared::unique("wrong_password");
    kafka.cluster.create_audit_topic(&topic, 1).await?;
    let file = scram_file(kafka, "SCRAM-SHA-256", ALICE, SECRET)?;
    let gateway = Gateway::start_with(&kafka.cluster.bootstrap_of("SCRAM")?, &topic, |gateway| {
        gateway.env("AUDIT_KAFKA_PROPERTIES_FILE", file).env("AUDIT_DEADLINE", "2s")
    })
    .await?;
    eventually(PATIENCE, "the gateway to say why", async || {
        let text = ready(&gateway.service).await?;
        ensure!(text.contains("brokers: ") && text.contains("sasl.password"), "{text}");
        Ok(())
    })
    .await?;
    let event = Generator::new(SEED, Utc::now()).events(1).remove(0);
    for _ in 0..2 {
        assert_eq!(gateway.post(&event.value()).await?.status, 503);
    }
    let log = gateway.service.log()?;
    assert_eq!(log.matches("cannot reach Kafka").count(), 1, "{log}");
    assert!(!log.contains(SECRET), "{log}");
    Ok(())
}

/// Credentials that are taken away while everything runs: nothing ends, all say so, and all go on once they are back.
#[tokio::test]
async fn credentials_taken_away_and_given_back() -> Result<()> {
    const USER: &str = "carol";
    let kafka = secured::kafka().await?;
    let servers = Servers { kafka: &kafka.cluster, postgres: shared::postgres().await? };
    let pipeline = Pipeline::on(servers, "revoked", 1).await?;
    kafka.cluster.set_password(USER, Some(ALICE_PASSWORD)).await?;
    let brokers = kafka.cluster.bootstrap_of("SCRAM_AGAIN")?;
    let file = scram_file(kafka, "SCRAM-SHA-256", USER, ALICE_PASSWORD)?;
    let gateway = Gateway::start_with(&brokers, &pipeline.topic, |gateway| {
        gateway.env("AUDIT_KAFKA_PROPERTIES_FILE", &file)
    })
    .await?;
    let consumer = pipeline
        .consumer()
        .env("AUDIT_BROKERS", &brokers)
        .env("AUDIT_KAFKA_PROPERTIES_FILE", &file)
        .start_ready()
        .await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let publish = async |generator: &mut Generator| {
        for event in generator.events(5) {
            eventually(PATIENCE, "an acknowledgement", async || {
                let status = gateway.post(&event.value()).await?.status;
                ensure!(status == 201, "{status}");
                Ok(())
            })
            .await?;
        }
        anyhow::Ok(())
    };
    publish(&mut generator).await?;
    pipeline.reaches(5).await?;

    kafka.cluster.set_password(USER, None).await?;
    for (service, condition) in [(&gateway.service, "brokers: "), (&consumer, "observation: ")] {
        eventually(PATIENCE, "the loss of the credentials to show", async || {
            let text = ready(service).await?;
            ensure!(text.contains(condition) && text.contains("sasl.password"), "{text}");
            Ok(())
        })
        .await?;
    }
    kafka.cluster.set_password(USER, Some(ALICE_PASSWORD)).await?;
    for service in [&gateway.service, &consumer] {
        eventually(PATIENCE, "the conditions to be over", async || {
            let text = ready(service).await?;
            ensure!(!text.contains("sasl.password"), "{text}");
            Ok(())
        })
        .await?;
    }
    publish(&mut generator).await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await
}
