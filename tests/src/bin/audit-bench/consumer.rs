//! The real binary with all its guarantees, to the end of the topic.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use audit_tests::{binary::Binary, service::Service};
use chrono::{DateTime, Utc};
use tokio_postgres::{Client, Statement};

use crate::{cpu::CpuTimes, stage::Stage};

/// Between two looks at how far it is: seldom, since looking costs the database.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long it may take without any progress.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it took.
pub(crate) struct Drained {
    /// Records per second, from the first commit that was seen to the last; `None` if one look saw them all.
    pub(crate) rate: Option<f64>,
    /// The most memory it had, in bytes.
    pub(crate) peak_memory: u64,
    /// Its processor time from its start on, in microseconds.
    pub(crate) cpu: u64,
}

/// Starts a consumer, waits until its stream has accounted for so many offsets, and ends it.
pub(crate) async fn drain(
    stage: &Stage,
    topic: &str,
    group: &str,
    database: &str,
    lanes: u16,
    offsets: i64,
) -> Result<Drained> {
    let client = stage.postgres.connect(database).await?;
    let progress = Progress::of(&client, group).await?;
    let before = progress.now().await?;
    let consumer = Binary::new("audit-consumer")
        .args(["run"])
        .env("AUDIT_DATABASE_URL", stage.postgres.url(database))
        .env("AUDIT_BROKERS", stage.kafka.bootstrap())
        .env("AUDIT_TOPIC", topic)
        .env("AUDIT_GROUP", group)
        .env("AUDIT_LANES", lanes.to_string())
        .quiet()
        .start_ready()
        .await?;
    let rate = progress
        .reaches(offsets, before.offsets, &consumer)
        .await
        .with_context(|| consumer.log_tail(20))?;
    let drained =
        Drained { rate, peak_memory: consumer.peak_memory()?, cpu: CpuTimes::now()?.consumer };
    let status = consumer.terminate(Duration::from_secs(30)).await?;
    ensure!(status.success(), "the consumer ended with {status}");
    Ok(drained)
}

/// How far a stream is.
struct Progress<'a> {
    client: &'a Client,
    statement: Statement,
    group: &'a str,
}

#[derive(Clone, Copy)]
struct Look {
    /// Offsets accounted for.
    offsets: i64,
    /// The server's time of the commit that accounted for the last of them.
    committed: Option<DateTime<Utc>>,
}

impl<'a> Progress<'a> {
    async fn of(client: &'a Client, group: &'a str) -> Result<Self> {
        // Only a batch changes the ledger; the stream's own row is also written when the consumer looks around.
        let sql = "SELECT coalesce(sum(last_offset - first_offset + 1), 0)::bigint, \
            max(pg_xact_commit_timestamp(xmin)) FROM audit_batch WHERE stream = $1";
        Ok(Self { client, statement: client.prepare(sql).await?, group })
    }

    async fn now(&self) -> Result<Look> {
        let row = self.client.query_one(&self.statement, &[&self.group]).await?;
        Ok(Look { offsets: row.try_get(0)?, committed: row.try_get(1)? })
    }

    /// Waits until so many offsets are accounted for; gives how many a second, once there were more than at first.
    /// What the first look finds was written before it and does not count.
    async fn reaches(
        &self,
        offsets: i64,
        at_first: i64,
        consumer: &Service,
    ) -> Result<Option<f64>> {
        let (mut first, mut last, mut since) = (None, at_first, Instant::now());
        loop {
            let now = self.now().await?;
            if now.offsets > last {
                first = first.or(Some(now));
                (last, since) = (now.offsets, Instant::now());
            }
            if now.offsets >= offsets {
                return Ok(first.and_then(|first| rate(first, now)));
            }
            if let Some(status) = consumer.status()? {
                bail!("the consumer ended with {status}");
            }
            ensure!(since.elapsed() < PATIENCE, "no progress since offset {last} of {offsets}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn rate(first: Look, last: Look) -> Option<f64> {
    let took = (last.committed? - first.committed?).as_seconds_f64();
    let offsets = f64::from(u32::try_from(last.offsets - first.offsets).ok()?);
    (took > 0.0).then(|| offsets / took)
}
