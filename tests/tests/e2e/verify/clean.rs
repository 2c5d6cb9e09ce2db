//! Nothing is found where nothing is wrong.

use anyhow::{Context, Result, ensure};
use audit_tests::{generator::Generator, load::spread, pipeline::Pipeline, shared};
use chrono::Utc;

use super::{PARTITIONS, Verdict, command, stored};
use crate::database::{PATIENCE, mixture, roles};

const SEED: u64 = 0x0A0D_1141;

/// Conflicts, duplicates, dead letters, ids without a time, aborted transactions, two streams.
#[tokio::test]
async fn a_database_that_is_right_is_verified_by_all_streams_and_by_each() -> Result<()> {
    let mut pipeline = Pipeline::shared("right", PARTITIONS).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    let aborted = kafka.begin(&pipeline.topic).await?;
    aborted.publish(&pipeline.topic, spread(&mut generator, 20, PARTITIONS)).await?;
    aborted.abort().await?;
    stored(&pipeline, SEED, 200).await?;
    let first = pipeline.group.clone();
    pipeline.group.push_str("_again");
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().verify_with(&[&first], PATIENCE).await?;
    pipeline.stop(&consumer).await?;

    Verdict::of_tables(&pipeline).await?.is_clean()?;
    for group in [None, Some(&first), Some(&pipeline.group)] {
        let mut verify = command(&pipeline).args(["--against-topic"]);
        if let Some(group) = group {
            verify = verify.env("AUDIT_GROUP", group);
        }
        let verdict = Verdict::of(verify.run().await?)?;
        verdict.is_clean().with_context(|| format!("{group:?}"))?;
        ensure!(verdict.outside() == Some(0), "{verdict:#?}");
        let read = verdict.report["topic"]["read"].as_array().context("what was read")?;
        for (partition, range) in (0..).zip(read) {
            let (_, high) = kafka.watermarks(&pipeline.topic, partition).await?;
            ensure!(range["partition"] == partition && range["last_offset"] == high - 1, "{range}");
        }
    }
    Ok(())
}

/// A stream that is behind, beside one that is not: what lies behind its position was stored by the other.
#[tokio::test]
async fn a_stream_that_is_behind_another() -> Result<()> {
    let mut pipeline = Pipeline::shared("behind", PARTITIONS).await?;
    let behind = pipeline.group.clone();
    stored(&pipeline, SEED + 1, 100).await?;
    pipeline.group.push_str("_ahead");
    let mut generator = Generator::new(SEED + 2, Utc::now());
    let records = mixture(&mut generator, 100, PARTITIONS);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    pipeline.stop(&consumer).await?;

    let verify = command(&pipeline).args(["--against-topic"]).env("AUDIT_GROUP", &behind);
    let verdict = Verdict::of(verify.run().await?)?;
    verdict.is_clean()?;
    ensure!(verdict.outside() > Some(50), "{verdict:#?}");
    Verdict::of_topic(&pipeline).await?.is_clean()
}

#[tokio::test]
async fn as_the_reader() -> Result<()> {
    let postgres = roles::server().await?;
    let mut pipeline = roles::pipeline(&postgres, "verifies", PARTITIONS).await?;
    stored(&pipeline, SEED + 3, 40).await?;
    pipeline.database_url = roles::url(&postgres, roles::READER, &pipeline.database);
    Verdict::of_topic(&pipeline).await?.is_clean()
}

#[tokio::test]
async fn an_empty_database_and_a_topic_that_nobody_has_read() -> Result<()> {
    let mut pipeline = Pipeline::shared("nothing", 1).await?;
    Verdict::of_tables(&pipeline).await?.is_clean()?;
    pipeline.topic = shared::unique("unread");
    pipeline.servers.kafka.create_audit_topic(&pipeline.topic, 1).await?;
    let output = command(&pipeline).args(["--against-topic"]).run().await?;
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("no stream has read the topic unread"), "{output:?}");

    let output = command(&pipeline).args(["--since", "1d"]).run().await?;
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("--against-topic"), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn a_table_for_people() -> Result<()> {
    let pipeline = Pipeline::shared("people", PARTITIONS).await?;
    stored(&pipeline, SEED + 4, 30).await?;
    let table = || command(&pipeline).args(["--against-topic", "--format", "table"]);
    let text = table().run().await?.success()?;
    let last = text.lines().last().context("a line")?;
    assert!(last.starts_with("verified: ") && last.contains(" rows, "), "{text}");
    assert!(text.starts_with(&format!("read {}:0:0-", pipeline.topic)), "{text}");

    let client = pipeline.servers.postgres.connect(&pipeline.database).await?;
    client.batch_execute("UPDATE workflow_execution_audit SET error_message = 'x'").await?;
    let output = table().args(["--limit", "3"]).run().await?;
    let last = output.stdout.lines().last().context("a line")?;
    assert!(last.starts_with("found ") && last.contains(" problems: "), "{}", output.stdout);
    let lines = output.stdout.lines().filter(|line| line.contains("was changed")).count();
    assert_eq!((output.code, lines), (Some(3), 3), "{}", output.stdout);
    Ok(())
}
