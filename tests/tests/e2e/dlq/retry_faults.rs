//! `audit-consumer dlq retry` while something else happens.

use anyhow::{Result, ensure};
use audit_tests::{eventually, generator::Generator, pipeline::Pipeline};
use chrono::Utc;

use super::{ACCEPTING, REFUSING, adds_up, client, count, dlq};
use crate::database::{PATIENCE, new_ids, poison};

const SEED: u64 = 0x0A0D_0D02;

/// A stream whose records are all dead letters, each of which is accepted by now but for the poison.
async fn dead(name: &str, valid: usize, poisons: usize) -> Result<Pipeline<'static>> {
    let pipeline = Pipeline::shared(name, 2).await?;
    let client = client(&pipeline).await?;
    client.batch_execute(REFUSING).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let mut records = new_ids(&mut generator, valid);
    records.extend((0..poisons).map(|_| poison(&mut generator)));
    let records = records.into_iter().map(|record| record.to_partition(0)).collect();
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.consumer().env("AUDIT_DEAD_LETTER_LIMIT", "off").start_ready().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    pipeline.stop(&consumer).await?;
    client.batch_execute(ACCEPTING).await?;
    Ok(pipeline)
}

/// It is killed between its transactions: the first is whole, of the second there is nothing, and the next run goes on.
#[tokio::test]
async fn killed_midway_the_next_one_goes_on() -> Result<()> {
    let pipeline = dead("retry_killed", 600, 5).await?;
    let mut holder = client(&pipeline).await?;
    let watcher = client(&pipeline).await?;
    let held = holder.transaction().await?;
    held.batch_execute("SELECT FROM audit_dead_letter WHERE \"offset\" = 550 FOR UPDATE").await?;
    let retry = pipeline.command("dlq").args(["retry", "--all"]).quiet().start()?;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually(PATIENCE, "the second batch to wait", async || {
        let waiting: i64 = watcher.query_one(waits, &[]).await?.get(0);
        ensure!(waiting == 1, "{waiting} sessions wait");
        Ok(())
    })
    .await?;
    assert_eq!(count(&watcher, "resolution = 'stored'").await?, 500);
    retry.kill().await?;
    held.rollback().await?;
    adds_up(&watcher).await?;

    let again = dlq(&pipeline, &["retry", "--all"]).await?;
    assert_eq!(again.code, Some(3), "{}", again.stderr);
    adds_up(&watcher).await?;
    let summary = pipeline.verify().await?;
    assert_eq!((summary.ids, summary.dead_letters), (600, 5));
    Ok(())
}

/// Two retries and a live stream store the same records at the same time; each record is counted by one of them.
#[tokio::test]
async fn beside_a_live_stream_and_another_retry() -> Result<()> {
    let mut pipeline = dead("retry_beside", 400, 20).await?;
    let first = pipeline.group.clone();
    pipeline.group.push_str("_live");
    let live = pipeline.consumer().env("AUDIT_BATCH_SIZE", "7").start()?;
    let retry = || dlq(&pipeline, &["retry", "--all"]);
    let (one, other) = tokio::join!(retry(), retry());
    for output in [one?, other?] {
        // Nothing is still dead for one that comes when the other has tried it.
        assert!(matches!(output.code, Some(0 | 3)), "{}", output.stderr);
    }
    let summary = pipeline.oracle().verify_with(&[&first], PATIENCE).await?;
    assert_eq!((summary.ids, summary.dead_letters), (400, 20));
    pipeline.stop(&live).await?;
    adds_up(&client(&pipeline).await?).await
}

/// The live stream is in the middle of the same record when the retry comes to it.
#[tokio::test]
async fn a_record_that_a_stream_is_just_storing_is_not_stored_twice() -> Result<()> {
    let mut pipeline = dead("retry_meets", 1, 0).await?;
    let mut holder = client(&pipeline).await?;
    let watcher = client(&pipeline).await?;
    // The stream has written its row and waits for the dead letter; the retry waits for the row.
    let held = holder.transaction().await?;
    held.batch_execute("SELECT FROM audit_dead_letter FOR UPDATE").await?;
    let first = pipeline.group.clone();
    pipeline.group.push_str("_live");
    let waiting = async |count: i64| {
        eventually(PATIENCE, "sessions to wait", async || {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let waiting: i64 = watcher.query_one(sql, &[]).await?.get(0);
            ensure!(waiting == count, "{waiting} sessions wait");
            Ok(())
        })
        .await
    };
    let live = pipeline.start_consumer().await?;
    waiting(1).await?;
    let retry = pipeline.command("dlq").args(["retry", "--all", "--format", "csv"]).start()?;
    waiting(2).await?;
    held.rollback().await?;
    assert!(retry.wait(PATIENCE).await?.success());
    let printed = retry.stdout()?;
    assert!(printed.lines().any(|line| line.ends_with(",resolved,,")), "{printed}");
    pipeline.oracle().verify_with(&[&first], PATIENCE).await?;
    pipeline.stop(&live).await?;
    assert_eq!(count(&watcher, "retried_as IS NULL AND resolution = 'stored'").await?, 1);
    adds_up(&watcher).await
}
