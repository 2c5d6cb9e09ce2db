//! A backlog, as an outage leaves it, under live traffic: how soon it is gone, and what live events wait meanwhile.

use std::time::Duration;

use anyhow::Result;
use audit_tests::{generator::Generator, postgres::connect};
use chrono::Utc;
use tokio_postgres::Client;

use super::{
    fill::fill,
    latency::{Way, ways},
    live::Live,
    settings::Settings,
    site::{Site, consumer, end, our_time, until_accounted},
};
use crate::{
    cpu::{CpuTimes, ratio},
    quantiles::Quantiles,
    say,
    table::markdown,
};

const TOPIC: &str = "backlog";
/// What `audit-producer topic create` makes.
const PARTITIONS: i32 = 12;
/// Live events per second.
const RATE: u32 = 500;
/// How long live traffic goes on afterwards.
const AFTERWARDS: Duration = Duration::from_secs(15);
const HEADER: [&str; 6] = [
    "live events",
    "lasted, s",
    "all events stored/s",
    "publish to visible p50, ms",
    "p99, ms",
    "max, ms",
];

pub(super) async fn bench(site: &Site, settings: &Settings) -> Result<String> {
    let backlog = settings.backlog();
    let mut generator = Generator::new(settings.seed, Utc::now());
    let filled = fill(&site.kafka, TOPIC, PARTITIONS, backlog, &mut generator).await?;
    let stream = site.stream(TOPIC).await?;
    let client = connect(&stream.database_url).await?;

    say("catching up")?;
    let before = CpuTimes::now()?;
    let live = Live::start(filled.publisher, generator, RATE);
    let started = our_time();
    let consumers = [consumer(&stream).start()?];
    let mut due = backlog;
    // There is nothing left that was published before the last look.
    let caught_up = |offsets| {
        let done = offsets >= i64::from(due);
        due = backlog + live.published();
        done
    };
    until_accounted(&client, &consumers, caught_up).await?;
    let caught_up = our_time();
    tokio::time::sleep(AFTERWARDS).await;
    let published = live.end().await?;
    let ended = our_time();
    let all = i64::from(backlog) + i64::try_from(published.len())?;
    until_accounted(&client, &consumers, |offsets| offsets >= all).await?;
    let cpu = CpuTimes::now()?.since(&before);
    end(&consumers[0]).await?;

    let drained = drained(&client, started).await?;
    let (behind, after): (Vec<Way>, Vec<Way>) =
        ways(&client, published).await?.into_iter().partition(|way| way.published < caught_up);
    let rows = [
        row("while catching up", &client, &behind, started, caught_up).await?,
        row("afterwards", &client, &after, caught_up, ended).await?,
    ];
    site.drop_stream(stream).await?;
    Ok(format!(
        "A backlog of {backlog} events of {} bytes in {PARTITIONS} partitions, {} bytes each in the topic, under {RATE} \
         live events/s; one consumer with its defaults, from its start on. The first partition was through its backlog \
         after {:.1} s, the last one after {:.1} s. Other processes had {:.0} % of the machine.\n\n{}",
        filled.event_bytes,
        filled.topic_bytes,
        drained.0,
        drained.1,
        cpu.others() * 100.0,
        markdown(&HEADER, &rows)
    ))
}

/// Seconds from the start until the first partition's backlog was stored, and the last one's.
async fn drained(client: &Client, started: i64) -> Result<(f64, f64)> {
    let sql = "SELECT min(at)::float8, max(at)::float8 FROM (
        SELECT extract(epoch FROM max(pg_xact_commit_timestamp(xmin))) - $1::bigint / 1000000.0 AS at
        FROM workflow_execution_audit WHERE record_timestamp < to_timestamp($1::bigint / 1000000.0)
        GROUP BY source_partition) AS partitions";
    let row = client.query_one(sql, &[&started]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

async fn row(
    phase: &str,
    client: &Client,
    ways: &[Way],
    from: i64,
    to: i64,
) -> Result<[String; 6]> {
    let sql = "SELECT count(*) FROM workflow_execution_audit
        WHERE extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000 BETWEEN $1::bigint AND $2::bigint";
    let stored: i64 = client.query_one(sql, &[&from, &to]).await?.try_get(0)?;
    let micros = u64::try_from(to - from)?;
    let [p50, p99, max] =
        Quantiles::of(ways.iter().map(|way| way.committed - way.published))?.cells();
    Ok([
        phase.to_owned(),
        format!("{:.1}", ratio(micros, 1_000_000)),
        format!("{:.0}", ratio(u64::try_from(stored)? * 1_000_000, micros)),
        p50,
        p99,
        max,
    ])
}
