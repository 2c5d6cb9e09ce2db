//! Months that nobody made beforehand, and times that have none.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Result, ensure};
use audit_schema::identity;
use audit_tests::{
    eventually,
    generator::{Event, Generator, IdKind},
    kafka::Record,
    pipeline::Pipeline,
    service::Service,
};
use chrono::{DateTime, Datelike, TimeZone, Utc};
use tokio_postgres::Client;

use super::PATIENCE;

const SEED: u64 = 0x0A0D_1006;

#[tokio::test]
async fn hundreds_of_old_months_are_made_on_demand() -> Result<()> {
    let pipeline = Pipeline::shared("months", 4).await?;
    let client = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let (old, odd) = (old_events(SEED), odd_events(SEED));
    pipeline.servers.kafka.publish(&pipeline.topic, shuffled(&old, &odd)).await?;
    let consumers = two_consumers(&pipeline).await?;
    pipeline.oracle().settled(PATIENCE).await?;
    months_are_made(&client, &old, &odd).await?;
    pipeline.verify().await?;
    stop(&pipeline, &consumers).await
}

/// Nobody can attach a partition while somebody reads the default one: rows wait there.
#[tokio::test]
async fn old_months_while_a_long_reader_holds_the_table() -> Result<()> {
    let pipeline = Pipeline::shared("reader", 4).await?;
    let client = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let (old, odd) = (old_events(SEED + 1), odd_events(SEED + 1));
    let mut reader = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let reading = reader.transaction().await?;
    reading.batch_execute("SELECT FROM workflow_execution_audit").await?;

    let consumers = two_consumers(&pipeline).await?;
    pipeline.servers.kafka.publish(&pipeline.topic, shuffled(&old, &odd)).await?;
    pipeline.oracle().settled(PATIENCE).await?;
    let waiting = in_default(&client).await?;
    assert!(usize::try_from(waiting)? >= old.len(), "{waiting} rows wait in the default partition");

    reading.rollback().await?;
    months_are_made(&client, &old, &odd).await?;
    pipeline.verify().await?;
    stop(&pipeline, &consumers).await
}

fn old_events(seed: u64) -> Vec<Event> {
    let latest = Utc::now() - Duration::from_secs(200 * 86_400);
    let years = latest.year() - 2000;
    let spread = Duration::from_secs(u64::from(years.unsigned_abs()) * 365 * 86_400);
    let mut generator = Generator::new(seed, latest).spread_over(spread);
    (0..400).map(|_| generator.event(IdKind::Dated)).collect()
}

/// Before 2000 and after next year, with ids that carry the time where they can.
fn odd_events(seed: u64) -> Vec<Event> {
    let at = |year, month| Utc.with_ymd_and_hms(year, month, 15, 0, 0, 0).unwrap();
    let late = Utc::now().year() + 3;
    let odd = [
        (at(1, 3), IdKind::ClientMade),
        (at(1999, 12), IdKind::ClientMade),
        (at(1999, 12), IdKind::Dated),
        (at(late, 1), IdKind::ClientMade),
        (at(late, 1), IdKind::Dated),
        (at(9999, 1), IdKind::ClientMade),
    ];
    let seeds = (seed + 100..).zip(odd);
    seeds.map(|(seed, (at, kind))| Generator::new(seed, at).event(kind)).collect()
}

fn shuffled(old: &[Event], odd: &[Event]) -> Vec<Record> {
    let mut records: Vec<Record> = old.iter().chain(odd).map(Event::record).collect();
    fastrand::Rng::with_seed(SEED).shuffle(&mut records);
    records
}

async fn two_consumers(pipeline: &Pipeline<'_>) -> Result<[Service; 2]> {
    let consumer = pipeline.consumer().env("AUDIT_BATCH_SIZE", "100");
    Ok([consumer.clone().start_ready().await?, consumer.start_ready().await?])
}

/// Waits until every old month has its partition and its rows, and the default only what is odd.
async fn months_are_made(client: &Client, old: &[Event], odd: &[Event]) -> Result<()> {
    let month = |event: &Event| {
        let created = event.id.and_then(identity::created_at).expect("dated");
        let created = DateTime::from_timestamp_micros(created).expect("of our calendar");
        format!("workflow_execution_audit_{}", created.format("%Y_%m"))
    };
    let wanted: BTreeSet<String> = old.iter().map(month).collect();
    assert!(wanted.len() > 150, "{} months", wanted.len());
    // One that could not be made is tried again every half minute.
    eventually(PATIENCE, "the old months", async || {
        let sql = "SELECT tableoid::regclass::text FROM workflow_execution_audit GROUP BY 1";
        let rows = client.query(sql, &[]).await?;
        let mut found: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        found.remove("workflow_execution_audit_default");
        ensure!(found == wanted, "{} months of {}", found.len(), wanted.len());
        Ok(())
    })
    .await?;
    assert_eq!(usize::try_from(in_default(client).await?)?, odd.len());
    Ok(())
}

async fn in_default(client: &Client) -> Result<i64> {
    let sql = "SELECT count(*) FROM workflow_execution_audit_default";
    Ok(client.query_one(sql, &[]).await?.get(0))
}

async fn stop(pipeline: &Pipeline<'_>, consumers: &[Service]) -> Result<()> {
    for consumer in consumers {
        pipeline.stop(consumer).await?;
    }
    Ok(())
}
