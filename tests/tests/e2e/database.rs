//! What PostgreSQL does to a stream, and what the stream does to PostgreSQL.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    binary::Binary,
    eventually,
    generator::{Generator, IdKind},
    kafka::Record,
    pipeline::Pipeline,
    proxy::Proxy,
    service::Service,
};

mod checks;
mod commits;
mod completeness;
mod metrics;
mod outages;
mod partitions;
mod refusals;
mod rejections;
mod restore;
pub(crate) mod roles;
mod streams;
mod values;

/// How long anything may take that a test waits for, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Records of so many events with every kind of id: some come again in other bytes, some with
/// another content, some are poison. The same id comes through several partitions.
pub(crate) fn mixture(generator: &mut Generator, events: usize, partitions: i32) -> Vec<Record> {
    let mut records = Vec::new();
    for event in generator.events(events) {
        records.push(event.record());
        let other = match generator.random().u8(..4) {
            0 => event.respelled().record(),
            1 | 2 => generator.conflict(&event).record(),
            _ => poison(generator),
        };
        let partition = generator.random().i32(0..partitions);
        records.push(other.to_partition(partition));
    }
    generator.random().shuffle(&mut records);
    records
}

/// Small poison of some kind.
pub(crate) fn poison(generator: &mut Generator) -> Record {
    use audit_schema::problem::Code;
    let kinds = [Code::Tombstone, Code::InvalidJson, Code::InvalidOutcome, Code::UnknownEventType];
    let kind = kinds[generator.random().usize(..kinds.len())];
    generator.poison(kind)
}

/// Records of so many new ids that carry their time.
pub(crate) fn new_ids(generator: &mut Generator, count: usize) -> Vec<Record> {
    (0..count).map(|_| generator.event(IdKind::Dated).record()).collect()
}

/// `audit-consumer run` whose way to PostgreSQL leads through the proxy, in small batches.
fn consumer_through(pipeline: &Pipeline<'_>, proxy: &Proxy) -> Binary {
    let url = proxy.url(pipeline.servers.postgres.address(), &pipeline.database_url);
    pipeline.consumer().env("AUDIT_DATABASE_URL", url).env("AUDIT_BATCH_SIZE", "20")
}

/// Waits until the series of a metric with these labels sum up to so much.
async fn counted(
    consumer: &Service,
    name: &str,
    labels: &[(&str, &str)],
    at_least: f64,
) -> Result<()> {
    eventually(PATIENCE, &format!("{name}{labels:?} >= {at_least}"), async || {
        let now = consumer.metrics().await?.sum(name, labels);
        ensure!(now >= at_least, "{now}");
        Ok(())
    })
    .await
}

/// Waits until so many records are committed.
async fn committed(consumer: &Service, at_least: f64) -> Result<()> {
    counted(consumer, "kubernaut_audit_records_total", &[], at_least).await
}

/// Waits until work was repeated so often for an SQLSTATE; `none` is a lost connection.
async fn retried(consumer: &Service, sqlstate: &str, at_least: f64) -> Result<()> {
    counted(consumer, "kubernaut_audit_retries_total", &[("sqlstate", sqlstate)], at_least).await
}

/// A count as metrics have it.
#[expect(clippy::cast_precision_loss, reason = "tests count thousands")]
fn float(count: i64) -> f64 {
    count as f64
}
