//! Procedures of docs/operations.md that no other module tries, step by step as they stand there.

use anyhow::Result;
use audit_tests::{generator::Generator, load::spread, oracle::Expected, pipeline::Pipeline};
use chrono::Utc;

use crate::{broker::halted::is_halted, database::PATIENCE};

const SEED: u64 = 0x0A0D_1050;
const PARTITIONS: i32 = 2;
/// Records in each partition when the backup is taken, and after it.
const BEFORE: i64 = 20;
const AFTER: i64 = 30;
/// The first offset of partition 0 that the topic still has when the backup is restored.
const KEPT: i64 = 35;

#[tokio::test]
async fn a_backup_older_than_the_topic_halts_and_names_what_is_missing() -> Result<()> {
    let pipeline = Pipeline::shared("old_backup", PARTITIONS).await?;
    let (kafka, postgres) = (pipeline.servers.kafka, pipeline.servers.postgres);
    let mut generator = Generator::new(SEED, Utc::now());
    let mut publish = async |each: i64| {
        let records = spread(&mut generator, usize::try_from(each)?, PARTITIONS);
        kafka.publish(&pipeline.topic, records).await.map(drop)
    };
    let consumer = pipeline.start_consumer().await?;
    publish(BEFORE).await?;
    pipeline.verify().await?;
    let backup = postgres.dump(&pipeline.database).await?;
    publish(AFTER).await?;
    pipeline.verify().await?;
    let published = kafka.read_all(&pipeline.topic).await?;
    kafka.delete_records(&pipeline.topic, 0, KEPT).await?;
    postgres.restore(&pipeline.database, &backup).await?;

    is_halted(&pipeline, &consumer, 0, "truncated").await?;
    let lost = format!("{}:0:{BEFORE}-{}", pipeline.topic, KEPT - 1);
    let halted = pipeline.stream(0).await?.halted.unwrap_or_default();
    assert!(halted.contains(&format!("--accept-lost {lost} --reason")), "{halted}");
    // The other partition heals all the same.
    pipeline.reaches(BEFORE + BEFORE + AFTER).await?;
    pipeline.stop(&consumer).await?;

    let accept = ["--accept-lost", &lost, "--reason", "the backup is too old"];
    let consumer = pipeline.consumer().args(accept).start_ready().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    let mut expected = Expected::default();
    let is_there = |offset: &i64| !(BEFORE..KEPT).contains(offset);
    let is_there = |partition, offset| partition != 0 || is_there(&offset);
    for record in published.iter().filter(|record| is_there(record.at.partition, record.at.offset))
    {
        expected.see(record);
    }
    let summary = pipeline.oracle().verify_against(&expected).await?;
    assert_eq!(summary.ledger.lost, KEPT - BEFORE);
    pipeline.stop(&consumer).await
}

#[tokio::test]
async fn an_empty_database_fills_itself_beside_the_old_one() -> Result<()> {
    let old = Pipeline::shared("filled", PARTITIONS).await?;
    let (kafka, postgres) = (old.servers.kafka, old.servers.postgres);
    let mut generator = Generator::new(SEED + 1, Utc::now());
    kafka.publish(&old.topic, spread(&mut generator, 50, PARTITIONS)).await?;
    let first = old.start_consumer().await?;
    old.verify().await?;

    let name = format!("{}_new", old.database);
    let new = Pipeline {
        servers: old.servers,
        topic: old.topic.clone(),
        database_url: postgres.create_database(&name).await?,
        database: name.clone(),
        group: name,
    };
    new.command("migrate").run().await?.success()?;
    let second = new.start_consumer().await?;
    kafka.publish(&old.topic, spread(&mut generator, 50, PARTITIONS)).await?;
    assert_eq!(new.verify().await?, old.verify().await?);
    old.stop(&first).await?;
    new.stop(&second).await
}
