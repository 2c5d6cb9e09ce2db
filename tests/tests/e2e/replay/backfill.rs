//! Databases that lack what the topic has.

use anyhow::Result;
use audit_tests::{
    generator::Generator,
    load::{mixture, publish_during},
    pipeline::Pipeline,
};
use chrono::Utc;

use super::{ends, finished, live_begins_at_the_end, positions, replay};
use crate::database::PATIENCE;

const SEED: u64 = 0x0A0D_0601;
const PARTITIONS: i32 = 4;

/// Ids of before come again in the live traffic, with other contents: both streams meet at them.
#[tokio::test]
async fn an_empty_database_is_filled_beside_live_traffic() -> Result<()> {
    let pipeline = Pipeline::shared("backfill", PARTITIONS).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    let events = generator.events(600);
    let records = events.iter().map(audit_tests::generator::Event::record).collect();
    kafka.publish(&pipeline.topic, records).await?;
    kafka.publish(&pipeline.topic, mixture(&mut generator, 200)).await?;
    live_begins_at_the_end(&pipeline).await?;
    let consumer = pipeline.consumer().env("AUDIT_BATCH_SIZE", "20").start_ready().await?;
    let mut conflicts: Vec<_> =
        events.iter().step_by(3).map(|event| generator.conflict(event).record()).collect();
    conflicts.extend(events.iter().skip(1).step_by(3).map(|event| event.respelled().record()));

    let meanwhile = async {
        let (row, _) = tokio::try_join!(
            finished(replay(&pipeline).args(["--name", "all"])),
            kafka.publish(&pipeline.topic, conflicts)
        )?;
        Ok(row)
    };
    let (_, row) = publish_during(&pipeline, &mut generator, meanwhile).await?;
    let summary = pipeline.oracle().verify_beside(&["replay-all"], PATIENCE).await?;
    // A third of the ids never come again.
    assert!(row["stored"].as_i64() > Some(200), "{row}");
    assert!(summary.history > 150, "{summary:?}");

    // The live stream is where it would be without the replay, and its view says nothing of it.
    let ends = ends(kafka, &pipeline.topic).await?;
    let next: Vec<_> = pipeline.streams().await?.iter().map(|stream| stream.next_offset).collect();
    assert_eq!(next, ends.iter().map(|(_, (_, end))| Some(*end)).collect::<Vec<_>>());
    let client = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let streams = "SELECT array_agg(DISTINCT stream) FROM audit_completeness";
    let seen: Vec<String> = client.query_one(streams, &[]).await?.get(0);
    assert_eq!(seen, [pipeline.group.as_str()]);
    pipeline.stop(&consumer).await
}

/// Two replays of the same records at the same time, then another one.
#[tokio::test]
async fn two_replays_at_once_store_each_record_once() -> Result<()> {
    let pipeline = Pipeline::shared("twice", PARTITIONS).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let records = mixture(&mut generator, 800);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    tokio::try_join!(
        finished(replay(&pipeline).args(["--name", "one"])),
        finished(replay(&pipeline).args(["--name", "other"]))
    )?;
    live_begins_at_the_end(&pipeline).await?;
    pipeline.oracle().verify_beside(&["replay-one", "replay-other"], PATIENCE).await?;
    assert_eq!(positions(&pipeline, "one").await?, positions(&pipeline, "other").await?);

    // Nothing is missing any more, and without a name each has one of its own.
    let row = finished(replay(&pipeline)).await?;
    assert_eq!(row["duplicate"], row["total"], "{row}");
    let stream = format!("replay-{}", row["name"].as_str().unwrap_or_default());
    let others = ["replay-one", "replay-other", &stream];
    pipeline.oracle().verify_beside(&others, PATIENCE).await?;
    Ok(())
}
