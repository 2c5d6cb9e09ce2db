//! Records that are gone before they are read again.

use anyhow::{Result, ensure};
use audit_tests::{eventually, generator::Generator, load::spread, pipeline::Pipeline};
use chrono::Utc;

use super::{listed, positions, replay};
use crate::broker::is_halted;
use crate::database::PATIENCE;

const SEED: u64 = 0x0A0D_060A;

/// What was not read is named; the other partition is read to its end.
#[tokio::test]
async fn a_replay_does_not_step_over_what_is_gone() -> Result<()> {
    let pipeline = Pipeline::shared("replay_truncated", 2).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    kafka.publish(&pipeline.topic, spread(&mut generator, 200, 2)).await?;
    let working = replay(&pipeline).args(["--name", "cut", "--rate", "50"]).quiet().start()?;
    eventually(PATIENCE, "the replay to have read something", async || {
        let parts = positions(&pipeline, "cut").await?;
        ensure!(parts.iter().any(|(.., next)| *next > 0), "{parts:?}");
        Ok(())
    })
    .await?;
    working.kill().await?;
    let (_, _, next) = positions(&pipeline, "cut").await?[0];
    kafka.delete_records(&pipeline.topic, 0, 190).await?;

    let output = replay(&pipeline).args(["--resume", "cut"]).run().await?;
    assert_eq!(output.code, Some(1));
    let last = output.stderr.lines().last().unwrap_or_default();
    let gone = format!(
        "partition 0 is at offset {next} of 200, truncated: offsets {next} to 189 are gone"
    );
    assert!(last.contains(&gone) && last.contains("begin another replay"), "{last}");
    let parts = positions(&pipeline, "cut").await?;
    assert_eq!(parts, [(0, 0, next), (1, 0, 200)]);
    let row = &listed(&pipeline).await?[0];
    assert!(row["halted"].as_str().unwrap_or_default().contains("truncated"), "{row}");
    Ok(())
}

/// A database that was restored from an older dump heals from the topic, and the live stream says
/// what the topic does not have any more.
#[tokio::test]
async fn a_restored_database_misses_what_the_topic_no_longer_has() -> Result<()> {
    let pipeline = Pipeline::shared("restored_cut", 2).await?;
    let (kafka, postgres) = (pipeline.servers.kafka, pipeline.servers.postgres);
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let consumer = pipeline.start_consumer().await?;
    kafka.publish(&pipeline.topic, spread(&mut generator, 30, 2)).await?;
    pipeline.verify().await?;
    let dump = postgres.dump(&pipeline.database).await?;
    kafka.publish(&pipeline.topic, spread(&mut generator, 30, 2)).await?;
    pipeline.verify().await?;
    kafka.delete_records(&pipeline.topic, 0, 50).await?;
    postgres.restore(&pipeline.database, &dump).await?;

    is_halted(&pipeline, &consumer, 0, "truncated").await?;
    let halted = pipeline.stream(0).await?.halted.unwrap_or_default();
    assert!(halted.contains("offsets 30 to 49 are gone"), "{halted}");
    eventually(PATIENCE, "the other partition to heal", async || {
        let next = pipeline.stream(1).await?.next_offset;
        ensure!(next == Some(60), "{next:?}");
        Ok(())
    })
    .await?;
    pipeline.stop(&consumer).await
}
