//! What is kept of replays, and how it goes.

use anyhow::Result;
use audit_tests::{binary::Output, generator::Generator, load::mixture, pipeline::Pipeline};
use chrono::Utc;

use super::{finished, listed, live_begins_at_the_end, replay};
use crate::database::PATIENCE;

const SEED: u64 = 0x0A0D_0607;

#[tokio::test]
async fn replays_are_listed_and_forgotten_and_their_account_stays() -> Result<()> {
    let pipeline = Pipeline::shared("plans", 2).await?;
    let list = async || pipeline.command("replay").args(["list"]).run().await?.success();
    let forget = async |name: &str| -> Result<Output> {
        pipeline.command("replay").args(["forget", name]).run().await
    };
    assert_eq!(list().await?, "no replays\n");
    let mut generator = Generator::new(SEED, Utc::now());
    let records = mixture(&mut generator, 100);
    let count = records.len();
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    live_begins_at_the_end(&pipeline).await?;
    let from = format!("{}:1:3", pipeline.topic);
    finished(replay(&pipeline).args(["--name", "some", "--from", &from])).await?;
    finished(replay(&pipeline).args(["--name", "all"])).await?;

    let json = listed(&pipeline).await?;
    let names: Vec<_> = json.as_array().into_iter().flatten().map(|row| &row["name"]).collect();
    assert_eq!(names, ["some", "all"]);
    let (some, all) = (&json[0], &json[1]);
    assert_eq!(some["range"], format!("from {from}"));
    assert_eq!((&all["range"], &all["topic"]), (&"all".into(), &pipeline.topic.as_str().into()));
    assert_eq!((&all["state"], &all["done"]), (&"finished".into(), &count.into()));
    assert_eq!(list().await?.lines().count(), 3);

    assert!(forget("all").await?.success()?.starts_with("forgot the replay all"));
    assert_eq!(listed(&pipeline).await?.as_array().map(Vec::len), Some(1));
    let none = forget("all").await?;
    assert_eq!(none.code, Some(1));
    assert!(none.stderr.contains("no replay all"), "{}", none.stderr);
    // What it has stored is booked nowhere else, and so its name is not free either.
    pipeline.oracle().verify_beside(&["replay-some", "replay-all"], PATIENCE).await?;
    let again = replay(&pipeline).args(["--name", "all"]).run().await?;
    assert_eq!(again.code, Some(1));
    assert!(
        again.stderr.contains("forgotten") && again.stderr.contains("--name"),
        "{}",
        again.stderr
    );
    assert_eq!(listed(&pipeline).await?.as_array().map(Vec::len), Some(1), "nothing is half begun");
    Ok(())
}

#[tokio::test]
async fn a_replay_that_is_worked_on_is_not_forgotten() -> Result<()> {
    let pipeline = Pipeline::shared("plans_busy", 1).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let records = mixture(&mut generator, 300);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let working = replay(&pipeline).args(["--name", "busy", "--rate", "20"]).quiet().start()?;
    audit_tests::eventually(PATIENCE, "the replay to run", async || {
        let row = &listed(&pipeline).await?[0];
        anyhow::ensure!(row["state"] == "running", "{row}");
        Ok(())
    })
    .await?;
    let forget = pipeline.command("replay").args(["forget", "busy"]);
    let refused = forget.clone().run().await?;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("somebody is working on"), "{}", refused.stderr);
    working.kill().await?;
    audit_tests::eventually(PATIENCE, "the replay to be forgotten", async || {
        forget.clone().run().await?.success().map(drop)
    })
    .await
}
