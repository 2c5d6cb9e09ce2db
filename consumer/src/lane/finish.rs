//! Counts, times and traces what is committed, and lets go of it, while the next batch is being written.

use audit_schema::version::Disposition;
use chrono::Utc;
use prometheus::IntCounterVec;
use tokio::sync::mpsc;
use tracing::debug;

use super::trace::{BatchTraces, End};
use crate::batch::Batch;
use crate::budget::Budget;
use crate::metrics::Metrics;
use crate::store::{Counts, Written};

/// A batch that the writer is done with.
pub(super) struct Done {
    pub(super) batch: Batch,
    /// What was committed; none if nothing of it was ours to write.
    pub(super) written: Option<Written>,
    /// Further attempts it took.
    pub(super) retries: u32,
}

pub(super) struct Finisher {
    pub(super) done: mpsc::Receiver<Done>,
    pub(super) metrics: Metrics,
    pub(super) traces: Option<BatchTraces>,
    pub(super) budget: Budget,
}

impl Finisher {
    pub(super) async fn run(mut self) {
        while let Some(Done { batch, written, retries }) = self.done.recv().await {
            if let Some(written) = written {
                self.count(&batch, &written);
                if let Some(traces) = &self.traces {
                    traces.ended(&batch, &End::Committed(&written), retries);
                }
            }
            let bytes = batch.bytes;
            drop(batch);
            self.budget.give_back(bytes);
        }
    }

    fn count(&self, batch: &Batch, written: &Written) {
        let metrics = &self.metrics;
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
}

fn add(counters: &IntCounterVec, label: &str, count: i64) {
    counters.with_label_values(&[label]).inc_by(u64::try_from(count).unwrap_or(0));
}
