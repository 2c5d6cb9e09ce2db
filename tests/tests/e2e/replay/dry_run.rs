//! What a replay would find, in a database that cannot be written.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use audit_schema::problem::Code;
use audit_tests::{generator::Generator, kafka::Record, pipeline::Pipeline, postgres::connect};
use chrono::Utc;
use serde_json::Value;

use super::replay;

const SEED: u64 = 0x0A0D_0606;

/// Each kind of difference is planted in another partition.
#[tokio::test]
async fn planted_differences_are_counted_and_nothing_is_written() -> Result<()> {
    let pipeline = Pipeline::shared("dry_run", 4).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    let mut records = Vec::new();
    for partition in 0..4 {
        for event in generator.events(30) {
            records.push(event.record().to_partition(partition));
            if partition == 3 {
                let other = generator.conflict(&event);
                records.push(other.record().to_partition(partition));
            }
        }
    }
    let poison = (0..5).map(|_| generator.poison(Code::InvalidJson).to_partition(2));
    records.extend(poison.collect::<Vec<Record>>());
    kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await?;
    let found = dry_run(&pipeline, &[]).await?;
    assert_eq!(counts(&found[&0]), [30, 0, 0, 30, 0, 0]);
    assert_eq!(counts(&found[&2]), [35, 0, 0, 30, 5, 0]);
    let both = found[&3]["records"].as_u64().context("a number")?;
    assert_eq!(counts(&found[&3]), [both, 0, 0, both, 0, 0]);

    let client = connect(&pipeline.database_url).await?;
    let planted = "
        DELETE FROM workflow_execution_audit WHERE id IN
            (SELECT id FROM workflow_execution_audit WHERE source_partition = 0 ORDER BY id LIMIT 7);
        UPDATE workflow_execution_audit SET content_digest = sha256('other') WHERE id IN
            (SELECT id FROM workflow_execution_audit WHERE source_partition = 1 ORDER BY id LIMIT 4);
        INSERT INTO audit_dead_letter (topic, partition, \"offset\", record_timestamp, error_code, error_text)
            SELECT source_topic, source_partition, source_offset, record_timestamp, 'older', 'older'
            FROM workflow_execution_audit WHERE source_partition = 1 ORDER BY id LIMIT 3;
        DELETE FROM workflow_execution_audit_history WHERE source_partition = 3";
    client.batch_execute(planted).await?;
    let read_only =
        format!("ALTER DATABASE \"{}\" SET default_transaction_read_only = on", pipeline.database);
    client.batch_execute(&read_only).await?;
    let found = dry_run(&pipeline, &[]).await?;
    assert_eq!(counts(&found[&0]), [30, 7, 0, 23, 0, 0]);
    assert_eq!(counts(&found[&1]), [30, 0, 4, 26, 0, 3]);
    assert_eq!(counts(&found[&2]), [35, 0, 0, 30, 5, 0]);
    // An event without an id becomes another one with other contents, so that fewer have history.
    let [records, missing, different, present, ..] = counts(&found[&3]);
    assert_eq!((records, missing, different + present), (both, 0, both));
    assert!(different > 10, "{different}");

    let from = format!("{}:0:28", pipeline.topic);
    let found = dry_run(&pipeline, &["--from", &from, "--rate", "1000"]).await?;
    assert_eq!(found.len(), 1);
    let row = &found[&0];
    assert_eq!(
        (&row["records"], &row["from_offset"], &row["end_offset"]),
        (&2.into(), &28.into(), &30.into())
    );
    let streams: i64 =
        client.query_one("SELECT count(DISTINCT stream) FROM audit_stream", &[]).await?.get(0);
    assert_eq!(streams, 1, "a dry run is no stream");
    Ok(())
}

/// The rows by partition.
async fn dry_run(pipeline: &Pipeline<'_>, args: &[&str]) -> Result<BTreeMap<i64, Value>> {
    let dry = replay(pipeline).args(["--dry-run", "--format", "json"]).args(args.iter().copied());
    let rows: Vec<Value> = serde_json::from_str(&dry.run().await?.success()?)?;
    rows.into_iter()
        .map(|row| Ok((row["partition"].as_i64().context("a partition")?, row)))
        .collect()
}

fn counts(row: &Value) -> [u64; 6] {
    ["records", "missing", "different", "present", "undecodable", "would_decode"]
        .map(|column| row[column].as_u64().unwrap_or(u64::MAX))
}
