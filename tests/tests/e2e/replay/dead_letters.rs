//! Records that an older version could not read.

use anyhow::Result;
use audit_tests::{
    generator::{Event, Generator},
    load::mixture,
    pipeline::Pipeline,
    postgres::connect,
};
use chrono::Utc;

use super::{finished, live_begins_at_the_end, replay};
use crate::database::PATIENCE;

const SEED: u64 = 0x0A0D_0605;

/// Dead letters of records that can be stored now are resolved, those that cannot stay open.
#[tokio::test]
async fn records_that_can_be_stored_after_all_are() -> Result<()> {
    let pipeline = Pipeline::shared("replay_letters", 2).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let events = generator.events(20).iter().map(Event::record).collect();
    let places = pipeline.servers.kafka.publish(&pipeline.topic, events).await?;
    pipeline.servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 200)).await?;
    live_begins_at_the_end(&pipeline).await?;
    let client = connect(&pipeline.database_url).await?;
    let letter = "
        INSERT INTO audit_dead_letter (topic, partition, \"offset\", record_timestamp, error_code, error_text)
        VALUES ($1, $2, $3, to_timestamp($4::bigint / 1000.0), 'an_older_version', 'not known yet')";
    for at in &places {
        let timestamp: i64 = at.timestamp_ms;
        client.execute(letter, &[&pipeline.topic, &at.partition, &at.offset, &timestamp]).await?;
    }

    let row = finished(replay(&pipeline).args(["--name", "again"])).await?;
    assert!(row["dead_lettered"].as_i64() > Some(0), "{row}");
    pipeline.oracle().verify_beside(&["replay-again"], PATIENCE).await?;
    let sql = "SELECT count(*) FROM audit_dead_letter
        WHERE error_code = 'an_older_version' AND resolution = 'stored' AND resolved_at IS NOT NULL";
    let resolved: i64 = client.query_one(sql, &[]).await?.get(0);
    assert_eq!(usize::try_from(resolved)?, places.len());
    Ok(())
}
