//! One consumer and several of them, on one topic: rate, shares, and how long partitions take to change hands.

use anyhow::{Context, Result, ensure};
use audit_tests::{generator::Generator, postgres::connect, service::Service};
use chrono::Utc;
use tokio_postgres::Client;

use super::{
    fill::fill,
    settings::Settings,
    site::{Site, consumer, end, our_time, server_time, until_accounted},
};
use crate::{
    cpu::CpuTimes,
    meter::each,
    say,
    table::{markdown, median, shown},
};

const TOPIC: &str = "preloaded";
/// Every number of consumers below has an equal part of them.
pub(super) const PARTITIONS: i32 = 24;
const CONSUMERS: [usize; 4] = [1, 2, 4, 8];
const LANES: [u16; 2] = [1, 2];
const HEADER: [&str; 9] = [
    "consumers",
    "ratio to one consumer",
    "lowest–highest",
    "events/s",
    "lowest/highest share",
    "until all are claimed, s",
    "handover, s",
    "consumer CPU, µs/event",
    "PostgreSQL CPU, µs/event",
];

/// How many there are, and with how many lanes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Crew {
    consumers: usize,
    lanes: u16,
}

#[derive(Debug)]
struct Figures {
    /// Events per second, while nobody comes or goes.
    rate: f64,
    /// What the consumer that stored the fewest events has, of what the one with the most has.
    evenness: f64,
    /// Seconds from the last start until every partition was claimed by whom it stays with.
    rebalance: f64,
    /// Seconds from SIGTERM to one of several until the others had claimed its partitions.
    handover: Option<f64>,
    cpu: CpuTimes,
    /// Events that `cpu` went into.
    events: u32,
}

pub(super) async fn bench(site: &Site, settings: &Settings) -> Result<String> {
    let events = settings.events();
    let mut generator = Generator::new(settings.seed, Utc::now());
    let filled = fill(&site.kafka, TOPIC, PARTITIONS, events, &mut generator).await?;
    let crews = LANES.map(|lanes| CONSUMERS.map(|consumers| Crew { consumers, lanes }));
    let mut runs = Vec::new();
    for round in 0..settings.rounds() {
        for crew in crews.into_iter().flatten() {
            let figures = measure(site, crew, events).await.with_context(|| crew.title())?;
            say(&format!("round {}, {}: {figures:.2?}", round + 1, crew.title()))?;
            runs.push((round, crew, figures));
        }
    }
    let rows: Vec<_> = crews.into_iter().flatten().map(|crew| crew.row(&runs)).collect();
    let others = runs.iter().map(|(.., run)| run.cpu.others()).fold(0.0, f64::max);
    Ok(format!(
        "{events} events of {} bytes in {PARTITIONS} partitions, {} bytes each in the topic, {} rounds. Nothing is \
         written before every partition is claimed; the rate and the shares are those of the first half of the events, \
         then one of several consumers gets SIGTERM. Every offset was accounted for once, as stored. Ratios are to one \
         consumer with as many lanes of the same round; medians. Other processes had {:.0} % of the machine at most.\n\n{}",
        filled.event_bytes,
        filled.topic_bytes,
        settings.rounds(),
        others * 100.0,
        markdown(&HEADER, &rows)
    ))
}

async fn measure(site: &Site, crew: Crew, events: u32) -> Result<Figures> {
    let stream = site.stream(TOPIC).await?;
    let client = connect(&stream.database_url).await?;
    let gate = connect(&stream.database_url).await?;
    // Partitions are claimed, records are fetched and decoded, and the first statement of every batch waits.
    gate.batch_execute("BEGIN; LOCK TABLE workflow_execution_audit IN SHARE MODE").await?;

    let start = |_| consumer(&stream).env("AUDIT_LANES", crew.lanes.to_string()).start();
    let mut consumers: Vec<Service> = (0..crew.consumers).map(start).collect::<Result<_>>()?;
    let started = our_time();
    stream.owned_by(&consumers.iter().collect::<Vec<_>>()).await?;
    let claimed = last_claim(&client).await?;

    let before = CpuTimes::now()?;
    gate.batch_execute("ROLLBACK").await?;
    let opened = server_time(&client).await?;
    until_accounted(&client, &consumers, |offsets| offsets >= i64::from(events / 2)).await?;
    let halfway = server_time(&client).await?;
    let cpu = CpuTimes::now()?.since(&before);
    let evenness = evenness(&consumers).await?;

    let mut handover = None;
    if crew.consumers > 1
        && let Some(leaver) = consumers.pop()
    {
        let told = our_time();
        let rest: Vec<&Service> = consumers.iter().collect();
        tokio::try_join!(end(&leaver), stream.owned_by(&rest))?;
        handover = Some(seconds(last_claim(&client).await? - told));
    }
    until_accounted(&client, &consumers, |offsets| offsets >= events.into()).await?;
    for consumer in &consumers {
        end(consumer).await?;
    }
    check_account(&client, events).await?;
    let written = written(&client, opened, halfway, events).await?;
    site.drop_stream(stream).await?;
    Ok(Figures {
        rate: f64::from(written) / seconds(halfway - opened),
        evenness,
        rebalance: seconds(claimed - started),
        handover,
        cpu,
        events: written,
    })
}

/// The whole ledger is new rows, as many as there are events, and nothing is anywhere else.
async fn check_account(client: &Client, events: u32) -> Result<()> {
    let sql = "SELECT
        (SELECT sum(stored)::bigint FROM audit_batch),
        (SELECT sum(last_offset - first_offset + 1)::bigint FROM audit_batch),
        (SELECT sum(next_offset - start_offset)::bigint FROM audit_stream),
        (SELECT count(*) FROM workflow_execution_audit_history),
        (SELECT count(*) FROM audit_dead_letter)";
    let row = client.query_one(sql, &[]).await?;
    let account: [i64; 5] =
        [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?];
    let events = i64::from(events);
    ensure!(
        account == [events, events, events, 0, 0],
        "the account of {events} events is {account:?}"
    );
    Ok(())
}

/// When a partition was taken over last, in microseconds since the Unix epoch.
async fn last_claim(client: &Client) -> Result<i64> {
    let sql = "SELECT (extract(epoch FROM max(taken_over_at)) * 1000000)::bigint FROM audit_stream";
    client.query_one(sql, &[]).await?.try_get(0).context("nothing is claimed")
}

/// Rows committed between two times; all events must be there.
async fn written(client: &Client, from: i64, to: i64, events: u32) -> Result<u32> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000
        BETWEEN $1::bigint AND $2::bigint) FROM workflow_execution_audit";
    let row = client.query_one(sql, &[&from, &to]).await?;
    let (all, written): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    ensure!(all == i64::from(events), "{all} rows are stored, of {events}");
    Ok(u32::try_from(written)?)
}

async fn evenness(consumers: &[Service]) -> Result<f64> {
    let (mut lowest, mut highest) = (f64::INFINITY, 0.0_f64);
    for consumer in consumers {
        let metrics = consumer.metrics().await?;
        let stored = metrics.sum("kubernaut_audit_records_total", &[("disposition", "stored")]);
        (lowest, highest) = (lowest.min(stored), highest.max(stored));
    }
    Ok(lowest / highest)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

impl Crew {
    fn title(self) -> String {
        let plural = |count| if count == 1 { "" } else { "s" };
        let Self { consumers, lanes } = self;
        let (many, wide) = (plural(consumers), plural(lanes.into()));
        format!(
            "{consumers} consumer{many}, {lanes} lane{wide}{}",
            if consumers > 1 { " each" } else { "" }
        )
    }

    fn row(self, runs: &[(u32, Self, Figures)]) -> [String; 9] {
        let alone = Self { consumers: 1, ..self };
        let of = |crew: Self| runs.iter().filter(move |(_, of, _)| *of == crew);
        let ratio = |(round, _, run): &(u32, Self, Figures)| {
            let (.., one) = of(alone).find(|(at, ..)| at == round)?;
            Some(run.rate / one.rate)
        };
        let mut ratios: Vec<f64> = of(self).filter_map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        let range = match (ratios.first(), ratios.last()) {
            (Some(lowest), Some(highest)) => format!("{lowest:.2}–{highest:.2}"),
            _ => "–".to_owned(),
        };
        let middle = |figure: &dyn Fn(&Figures) -> Option<f64>| {
            median(of(self).filter_map(|(.., run)| figure(run)).collect())
        };
        [
            self.title(),
            shown(median(ratios), 2),
            range,
            shown(middle(&|run| Some(run.rate)), 0),
            shown(middle(&|run| Some(run.evenness)), 2),
            shown(middle(&|run| Some(run.rebalance)), 1),
            shown(middle(&|run| run.handover), 1),
            shown(middle(&|run| Some(each(run.cpu.consumer, run.events))), 1),
            shown(middle(&|run| Some(each(run.cpu.postgres, run.events))), 1),
        ]
    }
}
