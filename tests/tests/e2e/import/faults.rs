//! An import that is killed, told to stop, or left without a broker.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use audit_tests::{
    binary::Binary,
    eventually,
    generator::Generator,
    kafka::{KafkaCluster, RawRecord, Record},
    pipeline::Pipeline,
    service::Service,
    shared,
};
use chrono::Utc;
use serde_json::Value;
use uuid::Uuid;

use super::{Lines, publish, resume_line, summary};

const SEED: u64 = 0x0A0D_2121;
const COUNT: usize = 8_000;
const LIMIT: Duration = Duration::from_secs(180);

fn events() -> Result<Lines> {
    let events = Generator::new(SEED, Utc::now()).events(COUNT);
    Lines::write(events.iter().map(|event| [event.value().as_slice(), b"\n"].concat()))
}

/// An import to there. It does not give up a record that a busy machine takes its time to publish.
fn import(lines: &Lines, brokers: &str, topic: &str) -> Binary {
    publish(&lines.path)
        .env("AUDIT_BROKERS", brokers)
        .env("AUDIT_TOPIC", topic)
        .env("AUDIT_DEADLINE", "60s")
}

/// One that takes its time, ten seconds and more: a small queue whose batches wait to be filled.
fn slow(import: Binary) -> Binary {
    import.args(["--queue-mib", "2", "--kafka-property", "linger.ms=800"])
}

/// Waits until the import has logged a line with this text, and returns the last such line.
async fn logged(import: &Service, text: &str) -> Result<Value> {
    eventually(LIMIT, text, async || {
        let ended = import.status()?;
        let log = import.log()?;
        ensure!(ended.is_none(), "it has ended: {log}");
        let line = log.lines().rfind(|line| line.contains(text)).context("not yet")?;
        Ok(serde_json::from_str(line)?)
    })
    .await
}

/// Waits until the topic has records. The broker is not asked, which a busy machine might take longer to answer than
/// the import takes.
async fn begun(kafka: &KafkaCluster, topic: &str) -> Result<()> {
    eventually(LIMIT, "records of the import", async || {
        let bytes = kafka.log_bytes(topic)?;
        ensure!(bytes > 10_000, "{bytes} bytes");
        Ok(())
    })
    .await
}

fn ids(records: &[RawRecord]) -> BTreeSet<&[u8]> {
    records.iter().filter_map(|record| record.key.as_deref()).collect()
}

#[tokio::test]
async fn killed_it_goes_on_from_the_line_it_has_logged() -> Result<()> {
    let pipeline = Pipeline::shared("import_killed", 2).await?;
    let consumer = pipeline.start_consumer().await?;
    let lines = events()?;
    let kafka = pipeline.servers.kafka;
    let import = || import(&lines, kafka.bootstrap(), &pipeline.topic);

    let first = slow(import()).start()?;
    let progress = logged(&first, "from_line").await?;
    first.kill().await?;
    let line = progress["from_line"].as_u64().context("no line")?;
    let written = kafka.read_all(&pipeline.topic).await?;
    ensure!(1 < line && u64::try_from(ids(&written).len())? >= line - 1, "{line}");
    ensure!(ids(&written).len() < COUNT, "it was killed too late");

    let second = import().args(["--from-line", &line.to_string()]).run().await?;
    let result = summary(&second.success()?)?;
    assert_eq!(result["published"], u64::try_from(COUNT)? - (line - 1), "{result}");
    let stored = pipeline.verify().await?;
    assert_eq!((stored.ids, stored.history, stored.dead_letters), (COUNT, 0, 0));
    pipeline.stop(&consumer).await
}

#[tokio::test]
async fn told_to_stop_it_says_where_to_resume() -> Result<()> {
    let kafka = shared::kafka().await?;
    let topic = shared::unique("import_stopped");
    kafka.create_audit_topic(&topic, 2).await?;
    let lines = events()?;
    let import = || import(&lines, kafka.bootstrap(), &topic);

    let first = slow(import()).start()?;
    begun(kafka, &topic).await?;
    let status = first.terminate(LIMIT).await?;
    assert_eq!(status.code(), Some(1));
    let line = resume_line(&first.log()?)?;
    let done = line.parse::<usize>()? - 1;
    let result = summary(&first.stdout()?)?;
    assert_eq!((&result["published"], &result["next_line"]), (&done.into(), &(done + 1).into()));
    assert_eq!(ids(&kafka.read_all(&topic).await?).len(), done, "what was acknowledged, no more");

    let result = summary(&import().args(["--from-line", &line]).run().await?.success()?)?;
    assert_eq!(result["published"], COUNT - done, "{result}");
    assert_eq!(ids(&kafka.read_all(&topic).await?).len(), COUNT);
    Ok(())
}

/// Every line is another content of one of few ids: the last one in the file must be the last one on the topic, or
/// another content than the file's would be the current one.
#[tokio::test]
async fn a_broker_that_goes_away_is_waited_for_and_order_is_kept() -> Result<()> {
    const IDS: usize = 40;
    let kafka = KafkaCluster::start(1).await?;
    let topic = "import_outage";
    kafka.create_audit_topic(topic, 4).await?;
    // A new broker may take seconds until it gives out the first producer id: longer than the deadline below.
    kafka.create_audit_topic("warm_up", 1).await?;
    kafka.publish("warm_up", vec![Record::new("{}")]).await?;
    let id = |line: usize| Uuid::from_u128(0xA0D0_0000 + (line % IDS) as u128).to_string();
    // Several times what the queue holds.
    let note = "n".repeat(2_000);
    let lines = Lines::write((0..COUNT).map(|line| {
        let id = id(line);
        format!(
            r#"{{"id":"{id}","remediation_id":"{line}","workflow_name":"w","workflow_version":"v","outcome":"failed","note":"{note}"}}"#
        )
        .into_bytes()
        .into_iter()
        .chain(*b"\n")
        .collect()
    }))?;

    let import = slow(import(&lines, kafka.bootstrap(), topic)).env("AUDIT_DEADLINE", "3s");
    let import = import.start()?;
    // Before its first acknowledgement it would end.
    logged(&import, "from_line").await?;
    kafka.kill(1).await?;
    logged(&import, "waiting for Kafka").await?;
    kafka.restart(1).await?;
    let status = import.wait(LIMIT).await?;
    assert_eq!(status.code(), Some(0), "{}", import.log()?);
    assert_eq!(summary(&import.stdout()?)?["published"], COUNT);
    assert!(import.log()?.contains("Kafka takes events again"));

    let mut current = BTreeMap::new();
    for record in kafka.read_all(topic).await? {
        let value: Value = serde_json::from_slice(record.value.as_deref().context("no value")?)?;
        let line = value["remediation_id"].as_str().context("no line")?.parse::<usize>()?;
        current.insert(record.key, line);
    }
    let last: BTreeMap<_, _> = (0..COUNT).map(|line| (Some(id(line).into_bytes()), line)).collect();
    assert_eq!(current, last);
    Ok(())
}

/// A topic made by hand takes less than the promised 1 MiB: only the events that are too large for it are refused.
#[tokio::test]
async fn what_the_broker_refuses_costs_its_neighbours_nothing() -> Result<()> {
    let kafka = shared::kafka().await?;
    let topic = shared::unique("import_refused");
    kafka.create_audit_topic(&topic, 1).await?;
    kafka.alter_topic(&topic, &[("max.message.bytes", "20000")]).await?;
    let mut events = Generator::new(SEED, Utc::now());
    let mut random = || -> String {
        std::iter::repeat_with(|| events.random().alphanumeric()).take(100_000).collect()
    };
    let lines = Lines::write((0..300).map(|line| {
        let note = if line % 100 == 50 { random() } else { String::new() };
        let event = format!(
            r#"{{"remediation_id":"{line}","workflow_name":"w","workflow_version":"v","outcome":"failed","note":"{note}"}}"#
        );
        (event + "\n").into_bytes()
    }))?;

    let import = publish(&lines.path).env("AUDIT_BROKERS", kafka.bootstrap());
    let output = import.env("AUDIT_TOPIC", &topic).run().await?;
    assert_eq!(output.code, Some(3), "{}", output.stderr);
    let result = summary(&output.stdout)?;
    assert_eq!((&result["published"], &result["refused"]), (&297.into(), &3.into()), "{result}");
    for line in [51, 151, 251] {
        let told = format!("line {line}: Kafka refused the event");
        assert!(output.stderr.contains(&told), "{}", output.stderr);
    }
    assert_eq!(ids(&kafka.read_all(&topic).await?).len(), 297);
    Ok(())
}
