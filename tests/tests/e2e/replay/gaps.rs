//! Offsets without records at the end of what is read.

use anyhow::Result;
use audit_tests::{generator::Generator, load::spread, pipeline::Pipeline};
use chrono::Utc;

use super::{finished, live_begins_at_the_end, replay};
use crate::database::PATIENCE;

const SEED: u64 = 0x0A0D_0604;
const PARTITIONS: i32 = 2;
const EACH: usize = 15;

/// The end is in the middle of an aborted transaction, of which no record ever shows; with records
/// behind it, and with none.
#[tokio::test]
async fn an_end_inside_of_a_gap_is_reached() -> Result<()> {
    let pipeline = Pipeline::shared("replay_gaps", PARTITIONS).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    kafka.publish(&pipeline.topic, spread(&mut generator, EACH, PARTITIONS)).await?;
    let aborted = kafka.begin(&pipeline.topic).await?;
    aborted.publish(&pipeline.topic, spread(&mut generator, EACH, PARTITIONS)).await?;
    // The replay's end is here, and is not known to be a gap before the transaction has ended.
    let working = replay(&pipeline).args(["--name", "open"]).quiet().start()?;
    audit_tests::eventually(PATIENCE, "the replay to wait at the transaction", async || {
        let parts = super::positions(&pipeline, "open").await?;
        let stored = i64::try_from(EACH)?;
        anyhow::ensure!(
            parts.len() == 2 && parts.iter().all(|(.., next)| *next == stored),
            "{parts:?}"
        );
        Ok(())
    })
    .await?;
    aborted.abort().await?;
    let status = working.wait(PATIENCE).await?;
    assert!(status.success(), "{status}: {}", working.log()?);

    // The markers are behind that end: a gap at the very tail.
    let row = finished(replay(&pipeline).args(["--name", "tail"])).await?;
    assert_eq!(row["gap"].as_u64(), u64::try_from((EACH + 1) * 2).ok(), "{row}");

    kafka.publish(&pipeline.topic, spread(&mut generator, EACH, PARTITIONS)).await?;
    let row = finished(replay(&pipeline).args(["--name", "middle"])).await?;
    assert_eq!(row["gap"].as_u64(), u64::try_from((EACH + 1) * 2).ok(), "{row}");
    live_begins_at_the_end(&pipeline).await?;
    let others = ["replay-open", "replay-tail", "replay-middle"];
    pipeline.oracle().verify_beside(&others, PATIENCE).await?;
    Ok(())
}
