//! Up to when everything is in the database.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use audit_tests::{eventually, generator::Generator, pipeline::Pipeline};
use chrono::{DateTime, Utc};
use tokio_postgres::Client;

use super::{PATIENCE, mixture, new_ids};

const SEED: u64 = 0x0A0D_1009;

#[tokio::test]
async fn an_idle_stream_is_complete_up_to_now_and_one_behind_up_to_its_last_record() -> Result<()> {
    let pipeline = Pipeline::shared("complete", 2).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let kafka = pipeline.servers.kafka;
    let consumer = pipeline.start_consumer().await?;
    let first = kafka.publish(&pipeline.topic, mixture(&mut generator, 20, 2)).await?;
    pipeline.verify().await?;
    let mut client = pipeline.servers.postgres.connect(&pipeline.database).await?;

    // Idle: it moves on by itself.
    let published = Utc::now();
    for since in [published, published + Duration::from_secs(3)] {
        complete_after(&client, since).await?;
    }
    super::counted(
        &consumer,
        "kubernaut_audit_complete_up_to_timestamp_seconds",
        &[],
        super::float(published.timestamp()),
    )
    .await?;

    // Behind: nothing can be written to the table.
    let lock = client.transaction().await?;
    lock.batch_execute("LOCK TABLE workflow_execution_audit IN SHARE MODE").await?;
    let records = new_ids(&mut generator, 10).into_iter().map(|record| record.to_partition(0));
    kafka.publish(&pipeline.topic, records.collect()).await?;
    let watcher = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let last = first.iter().filter(|at| at.partition == 0).map(|at| at.timestamp_ms).max();
    let last = DateTime::from_timestamp_millis(last.context("records in partition 0")?);
    eventually(PATIENCE, "the lag to be seen", async || {
        let (complete, lag) = completeness(&watcher, Some(0)).await?;
        ensure!(lag == Some(10), "{lag:?}");
        assert_eq!(complete, last);
        let (complete, lag) = completeness(&watcher, None).await?;
        assert_eq!((complete, lag), (last, Some(10)), "of the whole");
        Ok(())
    })
    .await?;
    lock.rollback().await?;
    pipeline.verify().await?;
    complete_after(&watcher, Utc::now()).await?;

    // Nobody looks: what is published now is not claimed.
    pipeline.stop(&consumer).await?;
    let stopped = Utc::now();
    let late = kafka.publish(&pipeline.topic, new_ids(&mut generator, 1)).await?;
    let (complete, _) = completeness(&watcher, None).await?;
    assert!(complete.is_some_and(|complete| complete <= stopped), "{complete:?}");
    assert!(complete.map(|complete| complete.timestamp_millis()) <= Some(late[0].timestamp_ms));
    Ok(())
}

/// Times that a producer chose say nothing about what is still to come, and may be anything.
#[tokio::test]
async fn nothing_is_known_where_producers_choose_the_time() -> Result<()> {
    let pipeline = Pipeline::shared("create_time", 1).await?;
    let kafka = pipeline.servers.kafka;
    let settings = [
        ("message.timestamp.type", "CreateTime"),
        ("message.timestamp.after.max.ms", "9223372036854775807"),
    ];
    kafka.alter_topic(&pipeline.topic, &settings).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let mut records = mixture(&mut generator, 60, 1);
    let odd = [-1, 0, 1, i64::MAX, i64::MAX / 1000, 253_402_300_800_000, 1_700_000_000_000];
    for (record, time) in records.iter_mut().zip(odd.iter().cycle()) {
        record.timestamp_ms = Some(*time);
    }
    let at = kafka.publish(&pipeline.topic, records).await?;
    assert!(at.iter().any(|at| at.timestamp_ms == i64::MAX), "times were not taken over");
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    let client = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let sql = "SELECT timestamp_type FROM audit_stream WHERE end_offset_seen = next_offset";
    let kind: Option<String> = eventually(PATIENCE, "a look at the end", async || {
        Ok(client.query_one(sql, &[]).await?.get(0))
    })
    .await?;
    assert_eq!(kind.as_deref(), Some("CreateTime"));
    assert_eq!(completeness(&client, None).await?, (None, Some(0)));
    let zero =
        consumer.metrics().await?.sum("kubernaut_audit_complete_up_to_timestamp_seconds", &[]);
    assert!(zero.abs() < 0.5, "{zero}");
    assert!(consumer.log()?.contains("LogAppendTime"), "no warning");
    pipeline.stop(&consumer).await
}

async fn complete_after(client: &Client, since: DateTime<Utc>) -> Result<()> {
    eventually(PATIENCE, &format!("completeness after {since}"), async || {
        let (complete, _) = completeness(client, None).await?;
        ensure!(complete > Some(since), "{complete:?}");
        Ok(())
    })
    .await
}

/// Of one partition, or of the whole: complete up to, and lag.
async fn completeness(
    client: &Client,
    partition: Option<i32>,
) -> Result<(Option<DateTime<Utc>>, Option<i64>)> {
    let sql = "SELECT complete_up_to, lag FROM audit_completeness WHERE partition IS NOT DISTINCT FROM $1";
    let row = client.query_one(sql, &[&partition]).await?;
    Ok((row.get(0), row.get(1)))
}
