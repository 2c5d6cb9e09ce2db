//! What one measurement came to.

use anyhow::{Context, Result, ensure};
use tokio_postgres::Client;

use crate::{
    cpu::{CpuTimes, ratio},
    settings::Variant,
};

/// Figures of one variant in one round; processor times and bytes are per event.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// Events per second, from the first commit to the last.
    pub(crate) rate: f64,
    /// The most memory the consumer had, in bytes; only where it is a process of its own.
    pub(crate) peak_memory: Option<u64>,
    /// Microseconds of the consumer, or of this process in its place.
    pub(crate) client_cpu: f64,
    /// Microseconds of PostgreSQL, where it takes part.
    pub(crate) postgres_cpu: Option<f64>,
    /// Microseconds of the broker, where it takes part.
    pub(crate) broker_cpu: Option<f64>,
    /// Bytes of write-ahead log.
    pub(crate) wal: Option<f64>,
    /// Bytes of table, TOAST and indexes.
    pub(crate) disk: Option<f64>,
    /// The share of the machine that went to others meanwhile.
    pub(crate) others: f64,
}

impl Figures {
    /// In one line, for whoever waits.
    pub(crate) fn line(&self, variant: Variant) -> String {
        format!(
            "{}: {:.0} events/s; others had {:.0} % of the machine",
            variant.title(),
            self.rate,
            self.others * 100.0
        )
    }
}

/// What a database has gone through so far.
pub(crate) struct DatabaseMeter {
    /// Bytes of write-ahead log since the server was made.
    wal: u64,
    pub(crate) cpu: CpuTimes,
}

impl DatabaseMeter {
    pub(crate) async fn now(client: &Client) -> Result<Self> {
        let sql = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";
        let wal: i64 = client.query_one(sql, &[]).await?.try_get(0)?;
        Ok(Self { wal: wal.try_into()?, cpu: CpuTimes::now()? })
    }

    pub(crate) fn wal_since(&self, before: &Self) -> u64 {
        self.wal - before.wal
    }
}

/// Events per second between the first commit and the last, by the server's own commit times. What the first
/// commit brought was written before it and does not count.
pub(crate) async fn commit_rate(client: &Client, events: u32) -> Result<f64> {
    let sql = "SELECT count(*)::bigint, (sum(count) FILTER (WHERE at > first))::bigint, sum(count)::bigint,
        extract(epoch FROM max(at) - min(at))::float8
        FROM (SELECT count(*), pg_xact_commit_timestamp(xmin) AS at, min(pg_xact_commit_timestamp(xmin)) OVER () AS first
            FROM workflow_execution_audit GROUP BY xmin) AS commits";
    let row = client.query_one(sql, &[]).await?;
    let (commits, rows): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(2)?);
    ensure!(rows == Some(events.into()), "{rows:?} rows are stored, of {events}");
    ensure!(commits > 1, "a single commit has no rate");
    let counted: i64 = row.try_get(1)?;
    let seconds: f64 = row.try_get(3)?;
    Ok(f64::from(u32::try_from(counted)?) / seconds)
}

/// Bytes of all partitions, with TOAST and indexes.
pub(crate) async fn disk_bytes(client: &Client) -> Result<u64> {
    let sql = "SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('workflow_execution_audit')";
    let bytes: i64 = client.query_one(sql, &[]).await?.try_get(0)?;
    bytes.try_into().context("a size")
}

/// Per event.
pub(crate) fn each(total: u64, events: u32) -> f64 {
    ratio(total, events.into())
}
