//! Writes batches, one after the other, for as long as it takes.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use audit_schema::problem::Code;
use audit_schema::version::Disposition;
use chrono::Utc;
use deadpool_postgres::{Client, Object};
use prometheus::IntCounterVec;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, error, warn};

use super::Setup;
use super::trace::End;
use crate::backoff::Backoff;
use crate::batch::Batch;
use crate::claim::{ClaimId, Halt, HaltReason};
use crate::partitions::Month;
use crate::source::Command;
use crate::store::{Counts, Failure, Written};

/// How long one attempt may take. The server ends its own statements after a minute; this is for a server that
/// does not do even that.
const ANSWER: Duration = Duration::from_secs(150);

pub(super) struct Writer {
    setup: Setup,
    batches: mpsc::Receiver<Batch>,
    /// Claims that are worth nothing any more; their records are somebody else's to write.
    void: HashSet<ClaimId>,
}

impl Writer {
    pub(super) fn new(setup: Setup, batches: mpsc::Receiver<Batch>) -> Self {
        Self { setup, batches, void: HashSet::new() }
    }

    pub(super) async fn run(mut self) {
        let give_up = self.setup.give_up.clone();
        while let Some(batch) = self.batches.recv().await {
            let bytes = batch.bytes;
            let records = batch.rows.len() + batch.dead_letters.len();
            tokio::select! {
                () = self.write(batch) => self.setup.budget.give_back(bytes),
                () = give_up.cancelled() => {
                    warn!(records, "stopping before the batch was written: it is read again at the next start");
                    return;
                }
            }
        }
    }

    /// Writes what is still ours to write of the batch.
    async fn write(&mut self, mut batch: Batch) {
        let mut backoff = Backoff::default();
        let mut attempted = None;
        loop {
            batch.drop_claims(|claim| self.void.contains(&claim));
            if batch.spans.is_empty() {
                return;
            }
            self.setup.months.ensure(&months(&batch)).await;
            match self.attempt(&mut batch, &mut attempted).await {
                Ok(written) => {
                    self.committed(&batch, &written);
                    return self.trace(&batch, &End::Committed(&written), backoff.attempts);
                }
                Err(Failure::Fenced(claims)) => {
                    self.trace(&batch, &End::Refused("fenced"), backoff.attempts);
                    self.fenced(&batch, claims);
                }
                Err(failure @ (Failure::Ledger(_) | Failure::LedgerBroken)) => {
                    self.trace(&batch, &End::Refused("ledger_refused"), backoff.attempts);
                    self.halt(&batch, &failure);
                }
                Err(failure) => self.retry(&failure, &mut backoff).await,
            }
        }
    }

    async fn attempt(
        &self,
        batch: &mut Batch,
        attempted: &mut Option<Written>,
    ) -> Result<Written, Failure> {
        let mut client = self.setup.database.get().await?;
        let work = self.write_or_isolate(&mut client, batch, attempted);
        let result = timeout(ANSWER, work).await.unwrap_or(Err(Failure::TimedOut(ANSWER)));
        if result.as_ref().is_err_and(|failure| !matches!(failure, Failure::Fenced(_))) {
            // Whatever state the session is in, a new one has none; after a fail-over it finds the new primary.
            drop(Object::take(client));
        }
        result
    }

    /// Writes the batch; if the database refuses it for what a row holds, without the rows that are to blame.
    async fn write_or_isolate(
        &self,
        client: &mut Client,
        batch: &mut Batch,
        attempted: &mut Option<Written>,
    ) -> Result<Written, Failure> {
        let store = &self.setup.store;
        let refusal = match store.write(client, batch, attempted).await {
            Err(Failure::Data(error)) => Failure::Data(error),
            result => return result,
        };
        let mut refused = store.isolate(client, batch).await?;
        if refused.is_empty() {
            return Err(refusal);
        }
        // From the back, so that positions stay good while rows are taken out.
        refused.sort_unstable_by_key(|refused| std::cmp::Reverse(refused.row));
        for row in refused {
            warn!("a record becomes a dead letter: {}", row.text);
            batch.reject(row.row, Code::DatabaseRejected, row.text);
        }
        store.write(client, batch, attempted).await
    }

    async fn retry(&self, failure: &Failure, backoff: &mut Backoff) {
        let metrics = &self.setup.metrics;
        metrics.retry(failure.sqlstate());
        metrics.batches.with_label_values(&["retried"]).inc();
        let delay = backoff.next_delay();
        self.setup.health.set_condition("database", Some(failure.to_string()));
        warn!(
            attempts = backoff.attempts,
            ?delay,
            "the batch is not written yet, trying again: {failure}"
        );
        tokio::time::sleep(delay).await;
    }

    fn fenced(&mut self, batch: &Batch, claims: Vec<ClaimId>) {
        self.setup.metrics.fenced_batches.inc();
        self.setup.metrics.batches.with_label_values(&["fenced"]).inc();
        for span in batch.spans.iter().filter(|span| claims.contains(&span.claim)) {
            warn!(
                partition = span.partition,
                epoch = span.epoch,
                first_offset = span.first_offset,
                "another consumer has taken the partition over, or its position has moved: leaving its records"
            );
            self.send(Command::Lost(span.partition, span.claim));
        }
        self.void.extend(claims);
    }

    fn halt(&mut self, batch: &Batch, failure: &Failure) {
        error!("the ledger refuses the batch: {failure}");
        for span in &batch.spans {
            let halt = Halt {
                reason: HaltReason::LedgerRefused,
                text: format!("offsets {} to {}: {failure}", span.first_offset, span.last_offset),
            };
            self.send(Command::Halted(span.partition, span.claim, halt));
            self.void.insert(span.claim);
        }
    }

    fn committed(&self, batch: &Batch, written: &Written) {
        for span in &batch.spans {
            self.send(Command::Committed(span.partition, span.claim, span.last_offset + 1));
        }
        self.setup.health.set_condition("database", None);
        let metrics = &self.setup.metrics;
        metrics.batches.with_label_values(&["committed"]).inc();
        for (disposition, count) in written.counts.named() {
            add(&metrics.records, disposition, count);
        }
        let count = u32::try_from(batch.rows.len() + batch.dead_letters.len()).unwrap_or(u32::MAX);
        metrics.batch_records.observe(f64::from(count));
        // A record that is read again stores nothing.
        let Counts { stored, superseding, late, dead_lettered, .. } = written.counts;
        add(&metrics.events.operations, "success", stored + superseding + late);
        add(&metrics.events.operations, "error", dead_lettered);
        let now = Utc::now().timestamp_millis();
        let latency = metrics.end_to_end_latency.local();
        for row in &batch.rows {
            let waited = u32::try_from((now - row.version.timestamp_ms).max(0)).unwrap_or(u32::MAX);
            latency.observe(f64::from(waited) / 1e3);
        }
        latency.flush();
        let rows = batch.rows.iter().zip(&written.dispositions);
        let stored = rows.filter(|(_, disposition)| **disposition == Some(Disposition::Stored));
        metrics.events.record(stored.map(|(row, _)| &row.observation));
        debug!(records = count, partitions = batch.spans.len(), "committed");
    }

    fn trace(&self, batch: &Batch, end: &End<'_>, retries: u32) {
        if let Some(traces) = &self.setup.traces {
            traces.ended(batch, end, retries);
        }
    }

    fn send(&self, command: Command) {
        // The source has gone only when the process is ending.
        let _ = self.setup.commands.send(command);
    }
}

fn add(counters: &IntCounterVec, label: &str, count: i64) {
    counters.with_label_values(&[label]).inc_by(u64::try_from(count).unwrap_or(0));
}

fn months(batch: &Batch) -> BTreeSet<Month> {
    batch.rows.iter().filter_map(|row| Month::of_micros(row.created_at)).collect()
}
