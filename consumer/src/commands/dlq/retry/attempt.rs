//! Dead letters in batches through the write path.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use audit_schema::version::Version;
use prometheus::Registry;
use serde::Serialize;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::super::letter::Letter;
use crate::batch::{Batch, BatchBuilder};
use crate::claim::{Claim, ClaimId};
use crate::database::Database;
use crate::metrics::{EventSeries, Metrics};
use crate::partitions::Months;
use crate::store::{Failure, Store};

/// Records per transaction: enough to be quick, few enough not to hold up a live stream that has the same ids.
const BATCH: usize = 500;

const STILL_DEAD: &str = "still_dead";

/// What became of one dead letter.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    topic: String,
    partition: i32,
    offset: i64,
    /// A disposition, `still_dead`, or `resolved` by somebody else meanwhile.
    result: &'static str,
    code: Option<&'static str>,
    error: Option<String>,
}

/// Open dead letters on their way through the write path, a batch at a time.
pub(super) struct Attempt {
    database: Database,
    metrics: Metrics,
    months: Months,
    _keeps_months: DropGuard,
    by: Option<String>,
    dry_run: bool,
    /// Of the topic whose turn it is.
    builder: Option<(Arc<str>, BatchBuilder)>,
    outcomes: Vec<Outcome>,
}

impl Outcome {
    pub(super) const COLUMNS: [&str; 6] =
        ["topic", "partition", "offset", "result", "code", "error"];

    pub(super) fn is_dead(&self) -> bool {
        self.result == STILL_DEAD
    }
}

impl Attempt {
    pub(super) fn new(
        database: Database,
        by: Option<String>,
        dry_run: bool,
    ) -> anyhow::Result<Self> {
        let months = Months::default();
        let stop = CancellationToken::new();
        if !dry_run {
            tokio::spawn(months.clone().keep(database.clone(), stop.clone()));
        }
        Ok(Self {
            database,
            // The write path counts and times; nobody asks here.
            metrics: Metrics::register(&Registry::new())?,
            months,
            _keeps_months: stop.drop_guard(),
            by,
            dry_run,
            builder: None,
            outcomes: Vec::new(),
        })
    }

    /// Takes one more, in the order of topics; a batch that is full is tried.
    pub(super) async fn add(&mut self, letter: &Letter) -> anyhow::Result<()> {
        let is_next = |(topic, builder): &(Arc<str>, BatchBuilder)| {
            **topic != *letter.topic || builder.is_full()
        };
        if self.builder.as_ref().is_some_and(is_next) {
            self.finish().await?;
        }
        let metrics = &self.metrics;
        let (_, builder) = self.builder.get_or_insert_with(|| {
            let topic: Arc<str> = letter.topic.as_str().into();
            let series = EventSeries::new(metrics.events.clone());
            let builder = BatchBuilder::new(Arc::clone(&topic), BATCH, Duration::ZERO, series);
            (topic, builder)
        });
        // No stream's offsets: nothing is accounted for, and the claim is nobody's.
        let claim = Claim {
            id: ClaimId(0),
            partition: letter.partition,
            epoch: 0,
            next_offset: letter.offset,
            last: None,
        };
        builder.push(&claim, letter.offset, &Arc::new(letter.record()), 0);
        Ok(())
    }

    /// Tries what has been gathered.
    pub(super) async fn finish(&mut self) -> anyhow::Result<()> {
        let Some((topic, mut builder)) = self.builder.take() else { return Ok(()) };
        let store = Store { stream: "dlq retry".into(), topic, metrics: self.metrics.clone() };
        let mut batch = builder.take();
        let mut client =
            self.database.get().await.map_err(|error| self.database.unreachable(&error))?;
        loop {
            if !self.dry_run {
                self.months.ensure(&batch.months()).await;
            }
            let by = self.by.as_deref();
            let failure = match store.retry(&mut client, &mut batch, by, self.dry_run).await {
                Ok(dispositions) => {
                    for (row, disposition) in batch.rows.iter().zip(dispositions) {
                        let result = disposition.map_or("", |disposition| disposition.as_str());
                        self.outcomes.push(outcome(&batch, row.version, result));
                    }
                    self.still_dead(&batch);
                    return Ok(());
                }
                Err(Failure::Data(refusal)) => {
                    store.isolate(&mut client, &mut batch, refusal).await.err()
                }
                Err(Failure::Resolved(versions)) => {
                    self.resolved(&mut batch, versions);
                    None
                }
                // A live stream has moved the row on.
                Err(Failure::Moved) => None,
                Err(failure) => Some(failure),
            };
            if let Some(failure) = failure {
                anyhow::bail!("cannot retry dead letters, run it again: {failure}");
            }
        }
    }

    /// In the order of the log.
    pub(super) fn into_outcomes(self) -> Vec<Outcome> {
        let mut outcomes = self.outcomes;
        outcomes.sort_by(|a, b| {
            (&a.topic, a.partition, a.offset).cmp(&(&b.topic, b.partition, b.offset))
        });
        outcomes
    }

    fn still_dead(&mut self, batch: &Batch) {
        for letter in &batch.dead_letters {
            let version = batch.raw(letter.place).version();
            self.outcomes.push(Outcome {
                code: Some(letter.code.as_str()),
                error: Some(letter.text.clone()),
                ..outcome(batch, version, STILL_DEAD)
            });
        }
    }

    /// Leaves out what somebody else has resolved meanwhile.
    fn resolved(&mut self, batch: &mut Batch, versions: Vec<Version>) {
        let gone: HashSet<Version> = versions.into_iter().collect();
        self.outcomes.extend(gone.iter().map(|version| outcome(batch, *version, "resolved")));
        batch.rows.retain(|row| !gone.contains(&row.version));
        let chunks = &batch.chunks;
        batch.dead_letters.retain(|letter| {
            let raw = chunks[letter.place.chunk].record(letter.place.record);
            !gone.contains(&raw.version())
        });
    }
}

fn outcome(batch: &Batch, version: Version, result: &'static str) -> Outcome {
    Outcome {
        topic: batch.topic.to_string(),
        partition: version.partition,
        offset: version.offset,
        result,
        code: None,
        error: None,
    }
}
