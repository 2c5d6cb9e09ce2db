//! Replays that end without a word, are told to stop, or are worked on twice.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use audit_tests::{
    eventually,
    generator::Generator,
    load::{mixture, publish_during},
    pipeline::Pipeline,
    service::Service,
};
use chrono::Utc;

use super::{finished, listed, live_begins_at_the_end, positions, replay};
use crate::database::PATIENCE;

const SEED: u64 = 0x0A0D_0602;
const PARTITIONS: i32 = 4;

/// In small batches, so that most of its time is spent inside of transactions, and beside a live
/// stream that gets other contents of the same ids.
#[tokio::test]
async fn a_replay_is_killed_anywhere_and_goes_on() -> Result<()> {
    let seed = SEED ^ u64::from(std::process::id());
    killed(seed).await.with_context(|| format!("seed {seed}"))
}

async fn killed(seed: u64) -> Result<()> {
    let pipeline = Pipeline::shared("replay_killed", PARTITIONS).await?;
    let mut generator = Generator::new(seed, Utc::now());
    let records = mixture(&mut generator, 1200);
    let count = i64::try_from(records.len())?;
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    live_begins_at_the_end(&pipeline).await?;
    let consumer = pipeline.start_consumer().await?;
    let mut points: Vec<i64> = (0..5).map(|_| generator.random().i64(0..count)).collect();
    points.sort_unstable();

    let killing = async {
        let mut how = ["--name", "k"];
        for point in points {
            let working = slow(&pipeline).args(how).quiet().start()?;
            reaches(&pipeline, &working, point).await?;
            // Unless it has come to its end meanwhile.
            let _ = working.kill().await;
            how = ["--resume", "k"];
        }
        finished(slow(&pipeline).args(how)).await
    };
    let (_, row) = publish_during(&pipeline, &mut generator, killing).await?;
    // Publishing may have gone on before the replay took the ends.
    assert!(row["total"].as_i64() >= Some(count), "{row}");
    pipeline.oracle().verify_beside(&["replay-k"], PATIENCE).await?;
    // What is finished is not read again.
    assert_eq!(finished(replay(&pipeline).args(["--resume", "k"])).await?, row);
    pipeline.stop(&consumer).await
}

fn slow(pipeline: &Pipeline<'_>) -> audit_tests::binary::Binary {
    replay(pipeline).env("AUDIT_BATCH_SIZE", "10").env("AUDIT_LINGER", "20ms")
}

/// Waits until so many offsets are accounted for, or the replay has ended.
async fn reaches(pipeline: &Pipeline<'_>, working: &Service, offsets: i64) -> Result<()> {
    eventually(PATIENCE, &format!("the replay to reach {offsets} offsets"), async || {
        let parts = positions(pipeline, "k").await?;
        let now: i64 = parts.iter().map(|(_, start, next)| next - start).sum();
        let begun = !parts.is_empty() && now >= offsets;
        ensure!(begun || working.status()?.is_some(), "{now}");
        Ok(())
    })
    .await
}

/// Each takes the partitions from the other, and what both have read is stored once.
#[tokio::test]
async fn two_that_work_on_the_same_replay_fence_each_other() -> Result<()> {
    let pipeline = Pipeline::shared("replay_fenced", PARTITIONS).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let records = mixture(&mut generator, 1500);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let one = slow(&pipeline).args(["--name", "k", "--rate", "200"]).quiet().start()?;
    reaches(&pipeline, &one, 100).await?;
    let other = slow(&pipeline).args(["--resume", "k", "--rate", "200"]).quiet().start()?;
    for working in [&one, &other] {
        let status = working.wait(PATIENCE).await?;
        ensure!(status.success(), "{status}: {}", working.log()?);
    }
    let logs = format!("{}{}", one.log()?, other.log()?);
    ensure!(logs.contains("another consumer has taken the partition over"), "{logs}");
    live_begins_at_the_end(&pipeline).await?;
    pipeline.oracle().verify_beside(&["replay-k"], PATIENCE).await?;
    Ok(())
}

/// SIGTERM: what was received is written, and the way to go on is said.
#[tokio::test]
async fn a_replay_that_is_told_to_stop_says_how_to_go_on() -> Result<()> {
    let pipeline = Pipeline::shared("replay_stopped", PARTITIONS).await?;
    let mut generator = Generator::new(SEED + 2, Utc::now());
    let records = mixture(&mut generator, 500);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let working = replay(&pipeline).args(["--name", "k", "--rate", "50"]).quiet().start()?;
    reaches(&pipeline, &working, 20).await?;
    let row = &listed(&pipeline).await?[0];
    assert_eq!((&row["name"], &row["state"]), (&"k".into(), &"running".into()), "{row}");

    let status = working.terminate(Duration::from_secs(20)).await?;
    assert_eq!(status.code(), Some(1));
    let log = working.log()?;
    assert!(log.contains("`audit-consumer replay --resume k` goes on"), "{log}");
    // The server may take a moment to see that the sessions are gone.
    eventually(PATIENCE, "the replay to be stopped", async || {
        let row = &listed(&pipeline).await?[0];
        ensure!(row["state"] == "stopped" && row["done"].as_i64() < row["total"].as_i64(), "{row}");
        Ok(())
    })
    .await?;
    finished(replay(&pipeline).args(["--resume", "k"])).await?;
    live_begins_at_the_end(&pipeline).await?;
    pipeline.oracle().verify_beside(&["replay-k"], PATIENCE).await?;
    Ok(())
}
