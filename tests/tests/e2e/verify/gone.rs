//! Topics that do not have all that was stored from them.

use anyhow::{Result, ensure};
use audit_tests::{generator::Generator, load::spread, pipeline::Pipeline};
use chrono::Utc;

use super::{PARTITIONS, Verdict, command, stored};
use crate::database::PATIENCE;

const SEED: u64 = 0x0A0D_1151;

/// What the topic has deleted is counted and no problem; what it still has is compared all the same.
#[tokio::test]
async fn records_that_the_topic_has_deleted() -> Result<()> {
    let pipeline = Pipeline::shared("deleted", PARTITIONS).await?;
    stored(&pipeline, SEED, 100).await?;
    pipeline.servers.kafka.delete_records(&pipeline.topic, 0, 60).await?;
    let verdict = Verdict::of_topic(&pipeline).await?;
    verdict.is_clean()?;
    ensure!(verdict.outside() > Some(20), "{verdict:#?}");
    ensure!(verdict.report["topic"]["read"][0]["first_offset"] == 60, "{verdict:#?}");

    let client = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let fault = "UPDATE workflow_execution_audit SET source_offset = source_offset + 1 WHERE id = \
                 (SELECT id FROM workflow_execution_audit WHERE source_partition = 1 ORDER BY source_offset LIMIT 1)";
    client.batch_execute(fault).await?;
    Verdict::of_topic(&pipeline).await?.has(&["row", "its rank is not"])
}

/// Of what is older than asked for, nothing is said.
#[tokio::test]
async fn only_what_is_not_older() -> Result<()> {
    let pipeline = Pipeline::shared("since", PARTITIONS).await?;
    stored(&pipeline, SEED + 1, 50).await?;
    let client = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let sql = "SELECT to_json(record_timestamp) #>> '{}', source_partition, source_offset \
               FROM workflow_execution_audit ORDER BY record_timestamp DESC LIMIT 1";
    let row = client.query_one(sql, &[]).await?;
    let (time, partition, offset): (String, i32, i64) = (row.get(0), row.get(1), row.get(2));
    let verify = command(&pipeline).args(["--against-topic", "--since", &time]);
    let verdict = Verdict::of(verify.run().await?)?;
    verdict.is_clean()?;
    let read = verdict.report["topic"]["read"].as_array().cloned().unwrap_or_default();
    let within = |range: &serde_json::Value| {
        range["partition"] == partition
            && range["first_offset"].as_i64() <= Some(offset)
            && range["last_offset"].as_i64() >= Some(offset)
    };
    ensure!(read.iter().any(within), "{offset} of {partition}: {verdict:#?}");
    let verify = command(&pipeline).args(["--against-topic", "--since", "2100-01-01"]);
    let verdict = Verdict::of(verify.run().await?)?;
    verdict.is_clean()?;
    ensure!(verdict.report["topic"]["read"] == serde_json::json!([]), "{verdict:#?}");
    Ok(())
}

/// What was stored from a topic that had the name before is no problem of the new one.
#[tokio::test]
async fn a_topic_that_was_recreated() -> Result<()> {
    for each in [20, 100] {
        let mut pipeline = Pipeline::shared("renewed", PARTITIONS).await?;
        stored(&pipeline, SEED + 2, 50).await?;
        let kafka = pipeline.servers.kafka;
        kafka.delete_topic(&pipeline.topic).await?;
        kafka.create_audit_topic(&pipeline.topic, PARTITIONS).await?;
        let mut generator = Generator::new(SEED + 3, Utc::now());
        kafka.publish(&pipeline.topic, spread(&mut generator, each, PARTITIONS)).await?;
        pipeline.group.push_str("_new");
        let consumer = pipeline.start_consumer().await?;
        pipeline.oracle().settled(PATIENCE).await?;
        pipeline.stop(&consumer).await?;

        Verdict::of_tables(&pipeline).await?.is_clean()?;
        let verdict = Verdict::of_topic(&pipeline).await?;
        verdict.is_clean()?;
        ensure!(verdict.outside() > Some(0), "{verdict:#?}");
    }
    Ok(())
}
