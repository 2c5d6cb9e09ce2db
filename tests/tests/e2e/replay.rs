//! The topic is read again into the database, beside the live stream.

use anyhow::{Context, Result};
use audit_tests::{binary::Binary, kafka::KafkaCluster, pipeline::Pipeline, postgres::connect};
use serde_json::Value;

mod backfill;
mod dead_letters;
mod dry_run;
mod gaps;
mod interrupted;
mod plans;
mod refusals;
mod rights;
mod selection;
mod truncated;

/// `audit-consumer replay` on the pipeline's topic, in small batches.
fn replay(pipeline: &Pipeline<'_>) -> Binary {
    pipeline
        .command("replay")
        .env("AUDIT_BROKERS", pipeline.servers.kafka.bootstrap())
        .env("AUDIT_TOPIC", &pipeline.topic)
        .env("AUDIT_BATCH_SIZE", "20")
}

/// The one row of a replay's result, given that it is finished.
async fn finished(replay: Binary) -> Result<Value> {
    let result: Value =
        serde_json::from_str(&replay.args(["--format", "json"]).run().await?.success()?)?;
    let row = result.get(0).context("a row")?.clone();
    assert_eq!((&row["state"], &row["done"]), (&"finished".into(), &row["total"]), "{row}");
    Ok(row)
}

/// Makes the live stream begin at the end of the topic, as one that was made for a new database.
async fn live_begins_at_the_end(pipeline: &Pipeline<'_>) -> Result<()> {
    let client = connect(&pipeline.database_url).await?;
    for (partition, (_, end)) in ends(pipeline.servers.kafka, &pipeline.topic).await? {
        let sql = "INSERT INTO audit_stream (stream, topic, partition, start_offset, next_offset) \
                   VALUES ($1, $2, $3, $4, $4)";
        client.execute(sql, &[&pipeline.group, &pipeline.topic, &partition, &end]).await?;
    }
    Ok(())
}

/// Both ends of each partition.
async fn ends(kafka: &KafkaCluster, topic: &str) -> Result<Vec<(i32, (i64, i64))>> {
    let mut ends = Vec::new();
    for partition in 0..kafka.partitions(topic).await? {
        ends.push((partition, kafka.watermarks(topic, partition).await?));
    }
    Ok(ends)
}

/// Where each partition of a replay began and where it is.
async fn positions(pipeline: &Pipeline<'_>, name: &str) -> Result<Vec<(i32, i64, i64)>> {
    let client = connect(&pipeline.database_url).await?;
    let sql = "SELECT partition, start_offset, next_offset FROM audit_stream \
               WHERE stream = 'replay-' || $1 ORDER BY partition";
    let rows = client.query(sql, &[&name]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

/// What `replay list` says.
async fn listed(pipeline: &Pipeline<'_>) -> Result<Value> {
    let list = pipeline.command("replay").args(["list", "--format", "json"]);
    Ok(serde_json::from_str(&list.run().await?.success()?)?)
}
