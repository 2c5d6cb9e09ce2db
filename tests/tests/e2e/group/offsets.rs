//! The group's own offsets are for lag tools; the database's decide.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{eventually, generator::Generator, load::spread, pipeline::Pipeline};
use chrono::Utc;

use super::protocol::Protocol;

const SEED: u64 = 0x0A0D_0104;
const PARTITIONS: i32 = 2;

#[tokio::test]
async fn a_group_whose_offsets_were_deleted_goes_on_where_the_database_is() -> Result<()> {
    goes_on(async |pipeline| pipeline.servers.kafka.delete_group(&pipeline.group).await).await
}

/// To the end of one partition, and to the start of the other.
#[tokio::test]
async fn a_group_whose_offsets_were_moved_goes_on_where_the_database_is() -> Result<()> {
    goes_on(async |pipeline| {
        let kafka = pipeline.servers.kafka;
        kafka.commit(&pipeline.group, &pipeline.topic, 0, 150).await?;
        kafka.commit(&pipeline.group, &pipeline.topic, 1, 0).await
    })
    .await
}

/// The group's offsets are tampered with when 100 records of each partition are stored and 50 are not.
async fn goes_on(tamper: impl AsyncFnOnce(&Pipeline<'_>) -> Result<()>) -> Result<()> {
    let pipeline = Pipeline::shared("offsets", PARTITIONS).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    kafka.publish(&pipeline.topic, spread(&mut generator, 100, PARTITIONS)).await?;
    let consumer = Protocol::Classic.consumer(&pipeline).start_ready().await?;
    pipeline.verify().await?;
    for partition in 0..PARTITIONS {
        eventually(Duration::from_secs(120), "the group's offset for lag tools", async || {
            let committed = kafka.committed(&pipeline.group, &pipeline.topic, partition).await?;
            ensure!(committed == Some(100), "{committed:?}");
            Ok(())
        })
        .await?;
    }
    pipeline.stop(&consumer).await?;
    kafka.publish(&pipeline.topic, spread(&mut generator, 50, PARTITIONS)).await?;
    tamper(&pipeline).await?;

    let consumer = Protocol::Classic.consumer(&pipeline).start_ready().await?;
    let summary = pipeline.verify().await?;
    assert_eq!((summary.ledger.stored, summary.ledger.duplicate), (300, 0));
    pipeline.stop(&consumer).await
}
