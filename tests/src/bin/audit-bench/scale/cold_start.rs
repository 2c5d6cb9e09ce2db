//! From the start of a process to its first row, while records wait in the topic.

use anyhow::{Context, Result};
use audit_tests::{generator::Generator, pipeline::Pipeline, postgres::connect};
use chrono::Utc;
use tokio_postgres::Client;

use super::{
    fill::fill,
    settings::Settings,
    site::{Site, consumer, end, our_time, until_accounted},
};
use crate::{
    say,
    table::{markdown, median, shown},
};

const TOPIC: &str = "waiting";
/// What `audit-producer topic create` makes.
const PARTITIONS: i32 = 12;
const HEADER: [&str; 4] = [
    "from the start of the process, ms",
    "all partitions are claimed",
    "first row is visible",
    "lowest–highest",
];

/// Milliseconds from the start.
struct Start {
    claimed: f64,
    first_row: f64,
}

pub(super) async fn bench(site: &Site, settings: &Settings) -> Result<String> {
    let events = settings.events();
    let mut generator = Generator::new(settings.seed, Utc::now());
    fill(&site.kafka, TOPIC, PARTITIONS, events, &mut generator).await?;
    let (mut new, mut known) = (Vec::new(), Vec::new());
    for round in 0..settings.rounds() {
        let stream = site.stream(TOPIC).await?;
        let client = connect(&stream.database_url).await?;
        let of_new = start(&stream, &client).await?;
        // Goes on where the first one has ended.
        let of_known = start(&stream, &client).await?;
        site.drop_stream(stream).await?;
        let (first, second) = (of_new.first_row, of_known.first_row);
        say(&format!("round {}: new {first:.0} ms, known {second:.0} ms", round + 1))?;
        new.push(of_new);
        known.push(of_known);
    }
    let rows = [row("a group that is new", &new), row("a group that is known", &known)];
    Ok(format!(
        "{events} events wait in {PARTITIONS} partitions of a topic, {} rounds. The database is migrated and has its \
         months; the broker does not delay a group's first rebalance (`group.initial.rebalance.delay.ms=0`; Kafka's own \
         default is 3 s). A known group's last member has left it in the orderly way.\n\n{}",
        settings.rounds(),
        markdown(&HEADER, &rows)
    ))
}

/// Starts a consumer, ends it as soon as it has written something.
async fn start(stream: &Pipeline<'_>, client: &Client) -> Result<Start> {
    let started = our_time();
    let consumers = [consumer(stream).start()?];
    let mut stood = None;
    until_accounted(client, &consumers, |offsets| offsets > *stood.get_or_insert(offsets)).await?;
    end(&consumers[0]).await?;
    let sql = "SELECT
        (SELECT extract(epoch FROM max(taken_over_at)) * 1000000 FROM audit_stream)::bigint,
        (SELECT extract(epoch FROM min(at)) * 1000000 FROM (
            SELECT pg_xact_commit_timestamp(xmin) AS at FROM workflow_execution_audit GROUP BY xmin
        ) AS commits WHERE at > to_timestamp($1::bigint / 1000000.0))::bigint";
    let row = client.query_one(sql, &[&started]).await?;
    let first_row: Option<i64> = row.try_get(1)?;
    let first_row = first_row.context("nothing was left to write: take more events")?;
    let claimed: i64 = row.try_get(0)?;
    Ok(Start { claimed: millis(claimed - started), first_row: millis(first_row - started) })
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn millis(micros: i64) -> f64 {
    micros as f64 / 1e3
}

fn row(group: &str, starts: &[Start]) -> [String; 4] {
    let mut first_rows: Vec<f64> = starts.iter().map(|start| start.first_row).collect();
    first_rows.sort_by(f64::total_cmp);
    let range = match (first_rows.first(), first_rows.last()) {
        (Some(lowest), Some(highest)) => format!("{lowest:.0}–{highest:.0}"),
        _ => "–".to_owned(),
    };
    let claimed = median(starts.iter().map(|start| start.claimed).collect());
    [group.to_owned(), shown(claimed, 0), shown(median(first_rows), 0), range]
}
