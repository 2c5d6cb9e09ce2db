//! Looks at the log's ends and at the database every few seconds: lag, completeness, open dead letters, and
//! positions that the log no longer has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use audit_runtime::admin::Health;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::database::{Database, describe, describe_pool};
use crate::kafka::{Probe, Watermarks};
use crate::metrics::Metrics;
use crate::source::{Command, Commands, ReadPosition};

const EVERY: Duration = Duration::from_secs(3);
/// Questions about partitions that are under way at once.
const QUESTIONS_AT_ONCE: usize = 8;

/// The observer of one process.
pub struct Observer {
    /// The database.
    pub database: Database,
    /// The brokers.
    pub probe: Probe,
    /// The way to the source.
    pub commands: Commands,
    /// Metrics.
    pub metrics: Metrics,
    /// Shows that Kafka or the database cannot be asked.
    pub health: Health,
    /// Stream name.
    pub stream: Arc<str>,
    /// Topic.
    pub topic: Arc<str>,
}

impl Observer {
    /// Looks until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let looking = async {
            let mut shown = BTreeSet::new();
            loop {
                let trouble = self.look(&mut shown).await.err().map(|error| format!("{error:#}"));
                if let Some(trouble) = &trouble {
                    warn!("cannot see how far the stream is: {trouble}");
                }
                self.health.set_condition("observation", trouble);
                tokio::time::sleep(EVERY).await;
            }
        };
        stop.run_until_cancelled(looking).await;
    }

    /// `shown` are the partitions whose lag may be shown.
    async fn look(&self, shown: &mut BTreeSet<i32>) -> anyhow::Result<()> {
        let timestamp_type = self.probe.timestamp_type().await;
        let Some(positions) = self.positions().await else { return Ok(()) };
        let held: BTreeSet<i32> = positions.iter().map(|position| position.partition).collect();
        // The source takes the series of a partition away with it; one that moved away during the last look came back.
        for moved in std::mem::replace(shown, held.clone()).difference(&held) {
            let _ = self.metrics.partition_lag.remove_label_values(&[&*moved.to_string()]);
        }
        // Several at a time: in an outage each question takes as long as it may.
        let ends: Vec<(i32, i64, DateTime<Utc>)> = stream::iter(positions.clone())
            .map(|position| self.end(position))
            .buffered(QUESTIONS_AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await;
        let partitions = self.probe.partitions().await?;
        self.write(&ends, timestamp_type, partitions)
            .await
            .map_err(|error| anyhow::anyhow!(error))?;
        self.compare_with_database(&positions, &ends).await.map_err(|error| anyhow::anyhow!(error))
    }

    async fn positions(&self) -> Option<Vec<ReadPosition>> {
        let (answer, positions) = oneshot::channel();
        self.commands.send(Command::Positions(answer)).ok()?;
        positions.await.ok()
    }

    /// The partition's end offset, and when it was asked for.
    async fn end(&self, position: ReadPosition) -> Option<(i32, i64, DateTime<Utc>)> {
        // Before the question: whatever is appended later has a later timestamp.
        let asked = Utc::now();
        match self.probe.watermarks(position.partition).await {
            Ok(log) => {
                self.compare(&position, log);
                Some((position.partition, log.high, asked))
            }
            Err(error) => {
                debug!(partition = position.partition, "cannot see the partition's end: {error}");
                None
            }
        }
    }

    fn compare(&self, position: &ReadPosition, log: Watermarks) {
        if let Some(committed) = position.committed {
            self.show_lag(position.partition, log.high, committed);
        }
        // librdkafka stops fetching such a partition without saying which; the takeover says what to do about it.
        // The position was taken before the log's ends were, so it cannot be ahead of them by being newer.
        if let Some(next) = position.next
            && (next < log.low || next > log.high)
        {
            warn!(
                partition = position.partition,
                next,
                low = log.low,
                high = log.high,
                "the log does not have the next offset"
            );
            let _ = self.commands.send(Command::Lost(position.partition, position.claim));
        }
    }

    fn show_lag(&self, partition: i32, end: i64, committed: i64) {
        let lag = (end - committed).max(0);
        self.metrics.partition_lag.with_label_values(&[&*partition.to_string()]).set(lag);
    }

    /// A database that was set back to an older state lacks what was committed, and with nothing new to write nobody
    /// would notice. Positions only rise, so one that was asked for later is behind for no other reason.
    async fn compare_with_database(
        &self,
        positions: &[ReadPosition],
        ends: &[(i32, i64, DateTime<Utc>)],
    ) -> Result<(), String> {
        let client = self.database.get().await.map_err(|error| describe_pool(&error))?;
        let sql = "SELECT partition, next_offset FROM audit_stream WHERE stream = $1 AND topic = $2 \
                   AND next_offset IS NOT NULL";
        let rows = client
            .query(sql, &[&&*self.stream, &&*self.topic])
            .await
            .map_err(|error| describe(&error))?;
        let stored: BTreeMap<i32, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        for position in positions {
            let stored = stored.get(&position.partition).copied();
            let end = ends.iter().find(|(partition, ..)| *partition == position.partition);
            // A partition that halted when it was taken over falls behind as well.
            if let (None, Some(stored), Some((_, end, _))) = (position.committed, stored, end) {
                self.show_lag(position.partition, *end, stored);
            }
            if position.committed.is_some_and(|committed| stored < Some(committed)) {
                warn!(
                    partition = position.partition,
                    committed = position.committed,
                    stored,
                    "the database is behind what was committed: it was set back"
                );
                let _ = self.commands.send(Command::Lost(position.partition, position.claim));
            }
        }
        Ok(())
    }

    /// Notes the ends, and a row for partitions that nobody has taken over yet; reads back what the metrics show.
    async fn write(
        &self,
        ends: &[(i32, i64, DateTime<Utc>)],
        timestamp_type: Option<String>,
        partitions: i32,
    ) -> Result<(), String> {
        let client = self.database.get().await.map_err(|error| describe_pool(&error))?;
        let failed = |error: tokio_postgres::Error| describe(&error);
        let rows = "INSERT INTO audit_stream (stream, topic, partition) \
                    SELECT $1, $2, p FROM generate_series(0, $3 - 1) AS p ON CONFLICT DO NOTHING";
        client
            .execute(rows, &[&&*self.stream, &&*self.topic, &partitions])
            .await
            .map_err(failed)?;
        // A row that a batch is just committing is left for the next look: waiting for several rows in another
        // order than the lanes' could deadlock with them.
        let seen = "WITH free AS (SELECT partition FROM audit_stream WHERE stream = $1 AND topic = $2 \
                    AND partition = ANY ($4) FOR UPDATE SKIP LOCKED) \
                    UPDATE audit_stream s SET end_offset_seen = k.high, seen_at = k.at, \
                    timestamp_type = coalesce($3, s.timestamp_type) \
                    FROM unnest($4::int[], $5::bigint[], $6::timestamptz[]) AS k (partition, high, at) \
                    JOIN free USING (partition) \
                    WHERE s.stream = $1 AND s.topic = $2 AND s.partition = k.partition \
                    AND (s.seen_at IS NULL OR s.seen_at < k.at)";
        let numbers: Vec<i32> = ends.iter().map(|(partition, ..)| *partition).collect();
        let highs: Vec<i64> = ends.iter().map(|(_, high, _)| *high).collect();
        let times: Vec<DateTime<Utc>> = ends.iter().map(|(.., at)| *at).collect();
        client
            .execute(
                seen,
                &[&&*self.stream, &&*self.topic, &timestamp_type, &numbers, &highs, &times],
            )
            .await
            .map_err(failed)?;

        let sql = "SELECT (SELECT extract(epoch FROM complete_up_to)::float8 FROM audit_completeness \
                   WHERE stream = $1 AND topic = $2 AND partition IS NULL), \
                   (SELECT count(*) FROM audit_dead_letter WHERE topic = $2 AND resolution IS NULL)";
        let row = client.query_one(sql, &[&&*self.stream, &&*self.topic]).await.map_err(failed)?;
        self.metrics.complete_up_to.set(row.get::<_, Option<f64>>(0).unwrap_or(0.0));
        self.metrics.dead_letters_open.set(row.get(1));
        Ok(())
    }
}
