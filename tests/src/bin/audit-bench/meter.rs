//! What one measurement came to.

use anyhow::{Context, Result, ensure};
use tokio_postgres::Client;

use crate::{
    consumer::drain,
    cpu::{CpuTimes, ratio},
    load::Load,
    stage::Stage,
};

/// Name of the database that is written.
const DATABASE: &str = "measured";

/// Figures of one measurement; processor times and bytes are per record.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// Records per second, from the first commit to the last.
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
    pub(crate) fn line(&self, title: &str) -> String {
        format!(
            "{title}: {:.0} events/s; others had {:.0} % of the machine",
            self.rate,
            self.others * 100.0
        )
    }
}

/// Measures the consumer on a load, and checks what it has stored and accounted for.
pub(crate) async fn consumer(stage: &Stage, load: &Load, lanes: u16) -> Result<Figures> {
    let client = stage.fresh_database(&load.template, DATABASE).await?;
    let before = Meter::now(&client).await?;
    let Load { topic, account, .. } = load;
    let offsets = account.ledger.offsets();
    let drained = drain(stage, topic, &account.group, DATABASE, lanes, offsets).await?;
    let after = Meter::now(&client).await?;

    account.check(&client).await?;
    let mut cpu = after.cpu.since(&before.cpu);
    // It has ended since, and its time with it.
    cpu.consumer = drained.cpu;
    let figures = Figures {
        rate: drained.rate.context("too few events to have a rate")?,
        peak_memory: Some(drained.peak_memory),
        client_cpu: each(cpu.consumer, load.records),
        postgres_cpu: Some(each(cpu.postgres, load.records)),
        broker_cpu: Some(each(cpu.broker, load.records)),
        wal: Some(each(after.wal - before.wal, load.records)),
        disk: Some(each(after.disk - before.disk, load.records)),
        others: cpu.others(),
    };
    stage.drop_database(DATABASE).await?;
    Ok(figures)
}

/// Measures a way to write the load's rows from this process, and checks that they are stored.
pub(crate) async fn rows(
    stage: &Stage,
    load: &Load,
    write: impl AsyncFnOnce(&str) -> Result<()>,
) -> Result<Figures> {
    let client = stage.fresh_database(&load.without, DATABASE).await?;
    let before = Meter::now(&client).await?;
    write(DATABASE).await?;
    let after = Meter::now(&client).await?;

    load.account.check_rows(&client).await?;
    let rows = u32::try_from(load.rows.count())?;
    let cpu = after.cpu.since(&before.cpu);
    let figures = Figures {
        rate: commit_rate(&client, &load.topic, rows).await?,
        peak_memory: None,
        client_cpu: each(cpu.ours, rows),
        postgres_cpu: Some(each(cpu.postgres, rows)),
        broker_cpu: None,
        wal: Some(each(after.wal - before.wal, rows)),
        disk: Some(each(after.disk - before.disk, rows)),
        others: cpu.others(),
    };
    stage.drop_database(DATABASE).await?;
    Ok(figures)
}

/// What a database has gone through so far.
struct Meter {
    /// Bytes of write-ahead log since the server was made.
    wal: u64,
    /// Bytes of all partitions, with TOAST and indexes.
    disk: u64,
    cpu: CpuTimes,
}

impl Meter {
    async fn now(client: &Client) -> Result<Self> {
        let sql = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, sum(pg_total_relation_size(relid))::bigint
            FROM pg_partition_tree('workflow_execution_audit')";
        let row = client.query_one(sql, &[]).await?;
        let [wal, disk]: [i64; 2] = [row.try_get(0)?, row.try_get(1)?];
        Ok(Self { wal: wal.try_into()?, disk: disk.try_into()?, cpu: CpuTimes::now()? })
    }
}

/// Rows per second between the first commit and the last, by the server's own commit times. What the first
/// commit brought was written before it and does not count.
async fn commit_rate(client: &Client, topic: &str, rows: u32) -> Result<f64> {
    let sql = "SELECT count(*)::bigint, (sum(count) FILTER (WHERE at > first))::bigint, sum(count)::bigint,
        extract(epoch FROM max(at) - min(at))::float8
        FROM (SELECT count(*), pg_xact_commit_timestamp(xmin) AS at, min(pg_xact_commit_timestamp(xmin)) OVER () AS first
            FROM workflow_execution_audit WHERE source_topic = $1 GROUP BY xmin) AS commits";
    let row = client.query_one(sql, &[&topic]).await?;
    let (commits, found): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(2)?);
    ensure!(found == Some(rows.into()), "{found:?} rows are stored, of {rows}");
    ensure!(commits > 1, "a single commit has no rate");
    let counted: i64 = row.try_get(1)?;
    let seconds: f64 = row.try_get(3)?;
    Ok(f64::from(u32::try_from(counted)?) / seconds)
}

/// Per record.
pub(crate) fn each(total: u64, records: u32) -> f64 {
    ratio(total, records.into())
}
