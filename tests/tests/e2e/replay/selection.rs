//! Which part of the topic is read.

use anyhow::{Context, Result};
use audit_tests::{
    generator::Generator,
    kafka::Acknowledged,
    load::{mixture, spread},
    pipeline::Pipeline,
};
use chrono::{DateTime, SecondsFormat, Utc};

use super::{ends, finished, live_begins_at_the_end, positions, replay};

const SEED: u64 = 0x0A0D_0603;
const PARTITIONS: i32 = 3;

/// A topic that was published in several portions, and the place of each record in their order.
async fn published(generator: &mut Generator) -> Result<(Pipeline<'static>, Vec<Acknowledged>)> {
    let pipeline = Pipeline::shared("selection", PARTITIONS).await?;
    let mut places = Vec::new();
    for _ in 0..6 {
        let records = mixture(generator, 40);
        places.extend(pipeline.servers.kafka.publish(&pipeline.topic, records).await?);
    }
    live_begins_at_the_end(&pipeline).await?;
    Ok((pipeline, places))
}

/// The brokers' times are those of the records' append, so that they rise in each partition.
#[tokio::test]
async fn by_time() -> Result<()> {
    let mut generator = Generator::new(SEED, Utc::now());
    let (pipeline, places) = published(&mut generator).await?;
    let time = |at: usize| DateTime::from_timestamp_millis(places[at].timestamp_ms).context("time");
    let (since, until) = (time(places.len() / 3)?, time(places.len() * 2 / 3)?);
    assert!(since < until, "one portion after the other");
    let written = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let ends = ends(pipeline.servers.kafka, &pipeline.topic).await?;
    let first = |partition: i32, time: DateTime<Utc>| {
        let later = places
            .iter()
            .filter(|at| at.partition == partition && at.timestamp_ms >= time.timestamp_millis());
        later.map(|at| at.offset).min().unwrap_or(ends[usize::try_from(partition).unwrap()].1.1)
    };

    finished(replay(&pipeline).args([
        "--name",
        "window",
        "--since",
        &written(since),
        "--until",
        &written(until),
    ]))
    .await?;
    let window: Vec<_> = (0..PARTITIONS)
        .map(|partition| (partition, first(partition, since), first(partition, until)))
        .collect();
    assert_eq!(positions(&pipeline, "window").await?, window);

    // A microsecond later is after the record.
    let later = (since + chrono::TimeDelta::microseconds(1)).to_rfc3339();
    finished(replay(&pipeline).args(["--name", "later", "--since", &later])).await?;
    let next_millisecond = since + chrono::TimeDelta::milliseconds(1);
    let rest: Vec<_> = ends
        .iter()
        .map(|(partition, (_, end))| (*partition, first(*partition, next_millisecond), *end))
        .collect();
    assert_eq!(positions(&pipeline, "later").await?, rest);

    // Nothing is as old as that, and everything is younger.
    let row = finished(replay(&pipeline).args(["--name", "old", "--until", "30d"])).await?;
    assert_eq!(row["total"], 0);
    let row = finished(replay(&pipeline).args(["--name", "young", "--since", "30d"])).await?;
    assert_eq!(row["total"].as_u64(), u64::try_from(places.len()).ok());
    let streams = ["window", "later", "old", "young"].map(|name| format!("replay-{name}"));
    let streams: Vec<&str> = streams.iter().map(String::as_str).collect();
    pipeline.oracle().verify_beside(&streams, crate::database::PATIENCE).await?;
    Ok(())
}

/// Only the partitions that are named, and what comes while the replay goes on is not its own.
#[tokio::test]
async fn by_offset() -> Result<()> {
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let (pipeline, _) = published(&mut generator).await?;
    let kafka = pipeline.servers.kafka;
    let ends = ends(kafka, &pipeline.topic).await?;
    let from = [0, 2].map(|partition| format!("{}:{partition}:7", pipeline.topic));
    let last = format!("{}:1:{}", pipeline.topic, ends[1].1.1);
    let args = ["--name", "o", "--from", &from[0], "--from", &from[1], "--from", &last];
    let working = replay(&pipeline).args(args).args(["--rate", "100"]).quiet().start()?;
    audit_tests::eventually(crate::database::PATIENCE, "the replay to have begun", async || {
        anyhow::ensure!(!positions(&pipeline, "o").await?.is_empty(), "no plan");
        Ok(())
    })
    .await?;
    kafka.publish(&pipeline.topic, spread(&mut generator, 30, PARTITIONS)).await?;
    let status = working.wait(crate::database::PATIENCE).await?;
    assert!(status.success(), "{status}: {}", working.log()?);
    let end = |partition: usize| ends[partition].1.1;
    let expected = [(0, 7, end(0)), (1, end(1), end(1)), (2, 7, end(2))];
    assert_eq!(positions(&pipeline, "o").await?, expected);

    finished(replay(&pipeline).args(["--name", "rest"])).await?;
    let consumer = pipeline.start_consumer().await?;
    let others = ["replay-o", "replay-rest"];
    pipeline.oracle().verify_beside(&others, crate::database::PATIENCE).await?;
    pipeline.stop(&consumer).await
}
