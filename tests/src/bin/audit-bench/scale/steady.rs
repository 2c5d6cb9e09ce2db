//! Live traffic that a consumer keeps up with: how long until an event can be seen.

use std::time::Duration;

use anyhow::Result;
use audit_tests::{generator::Generator, postgres::connect, service::Service};
use chrono::Utc;

use super::{
    fill::fill,
    latency::ways,
    live::Live,
    settings::Settings,
    site::{Site, consumer, end, until_accounted},
};
use crate::{cpu::CpuTimes, meter::each, quantiles::Quantiles, say, table::markdown};

const TOPIC: &str = "steady";
/// What `audit-producer topic create` makes.
const PARTITIONS: i32 = 12;
/// Events per second.
const RATE: u32 = 1_000;
/// Events beforehand: a connection, a first takeover and a first plan are not what is measured.
const WARM_UP: u32 = 1_000;
/// The default of `run --linger`.
const LINGER: Duration = Duration::from_millis(200);
const HEADER: [&str; 4] = ["until the commit, ms", "p50", "p99", "max"];

pub(super) async fn bench(site: &Site, settings: &Settings) -> Result<String> {
    let seconds = settings.steady_seconds();
    let mut generator = Generator::new(settings.seed, Utc::now());
    let warm = fill(&site.kafka, TOPIC, PARTITIONS, WARM_UP, &mut generator).await?;
    let stream = site.stream(TOPIC).await?;
    let client = connect(&stream.database_url).await?;
    let consumers = [consumer(&stream).start_ready().await?];
    until_accounted(&client, &consumers, |offsets| offsets >= WARM_UP.into()).await?;

    say(&format!("{RATE} events/s for {seconds} s"))?;
    let before = CpuTimes::now()?;
    let bytes = site.kafka.log_bytes(TOPIC)?;
    let live = Live::start(warm.publisher, generator, RATE);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let published = live.end().await?;
    let events = u32::try_from(published.len())?;
    until_accounted(&client, &consumers, |offsets| offsets >= (WARM_UP + events).into()).await?;
    let cpu = CpuTimes::now()?.since(&before);
    let about = Batches::of(&consumers[0]).await?;
    end(&consumers[0]).await?;

    let ways = ways(&client, published).await?;
    let row = |from: &str, quantiles: Quantiles| {
        let [p50, p99, max] = quantiles.cells();
        [from.to_owned(), p50, p99, max]
    };
    let wanted =
        [LINGER, LINGER + Duration::from_millis(100)].map(|time| time.as_millis().to_string());
    let [p50, p99] = wanted;
    let rows = [
        row(
            "from the call of the publisher",
            Quantiles::of(ways.iter().map(|way| way.committed - way.published))?,
        ),
        row(
            "from the broker's append",
            Quantiles::of(ways.iter().map(|way| way.committed - way.appended))?,
        ),
        ["wanted".to_owned(), format!("≤ {p50}"), format!("≤ {p99}"), "–".to_owned()],
    ];
    let topic_bytes = (site.kafka.log_bytes(TOPIC)? - bytes) / u64::from(events);
    site.drop_stream(stream).await?;
    Ok(format!(
        "{events} events at {RATE}/s in {PARTITIONS} partitions, {topic_bytes} bytes each in the topic; one consumer with \
         its defaults (linger {} ms, 2 lanes): batches of {:.0} events on average, written in {:.1} ms and flushed to disk \
         by a COMMIT of {:.1} ms, most of which comes after the time that the server notes. Processor time per event: \
         consumer {:.0} µs, PostgreSQL {:.0} µs, broker {:.0} µs. Other processes had {:.0} % of the machine.\n\n{}",
        LINGER.as_millis(),
        about.records,
        about.write * 1e3,
        about.commit * 1e3,
        each(cpu.consumer, events),
        each(cpu.postgres, events),
        each(cpu.broker, events),
        cpu.others() * 100.0,
        markdown(&HEADER, &rows)
    ))
}

/// Averages of what the consumer says of its batches.
struct Batches {
    records: f64,
    /// Seconds.
    write: f64,
    /// Seconds.
    commit: f64,
}

impl Batches {
    async fn of(consumer: &Service) -> Result<Self> {
        let metrics = consumer.metrics().await?;
        let mean = |name: &str, labels: &[(&str, &str)]| {
            metrics.sum(&format!("{name}_sum"), labels)
                / metrics.sum(&format!("{name}_count"), labels)
        };
        let stage = |stage| mean("kubernaut_audit_stage_duration_seconds", &[("stage", stage)]);
        Ok(Self {
            records: mean("kubernaut_audit_batch_records", &[]),
            write: stage("write"),
            commit: stage("commit"),
        })
    }
}
