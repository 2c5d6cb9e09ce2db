//! Writes batches, one after the other, for as long as it takes.

use std::collections::HashSet;
use std::time::Duration;

use deadpool_postgres::{Client, Object};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{error, warn};

use super::Setup;
use super::finish::Done;
use super::handover::ToWrite;
use super::share::Recent;
use super::trace::End;
use crate::backoff::Backoff;
use crate::batch::Batch;
use crate::claim::{ClaimId, Halt, HaltReason};
use crate::source::Command;
use crate::store::{Failure, Outlook, Written};

/// How long one attempt may take. The server ends its own statements after a minute; this is for a server that
/// does not do even that.
const ANSWER: Duration = Duration::from_secs(150);

pub(super) struct Writer {
    setup: Setup,
    ready: ToWrite,
    finisher: mpsc::Sender<Done>,
    /// Claims that are worth nothing any more; their records are somebody else's to write.
    void: HashSet<ClaimId>,
    outlook: Outlook,
    recent: Recent,
}

impl Writer {
    pub(super) fn new(setup: Setup, ready: ToWrite, finisher: mpsc::Sender<Done>) -> Self {
        let recent = Recent::new(setup.dead_letter_limit);
        Self { setup, ready, finisher, void: HashSet::new(), outlook: Outlook::default(), recent }
    }

    pub(super) async fn run(mut self) {
        let give_up = self.setup.give_up.clone();
        while let Some((batch, _turn)) = self.ready.recv().await {
            let records = batch.rows.len() + batch.dead_letters.len();
            tokio::select! {
                // The finisher ends after this task only.
                done = self.write(batch) => drop(self.finisher.send(done).await),
                () = give_up.cancelled() => {
                    warn!(records, "stopping before the batch was written: it is read again at the next start");
                    return;
                }
            }
        }
    }

    /// Writes what is still ours to write of the batch.
    async fn write(&mut self, mut batch: Batch) -> Done {
        let mut backoff = Backoff::default();
        let mut attempted = None;
        loop {
            self.halt_what_dies(&batch);
            batch.drop_claims(|claim| self.void.contains(&claim));
            if batch.spans.is_empty() {
                return Done { batch, written: None, retries: backoff.attempts };
            }
            self.setup.months.ensure(&batch.months()).await;
            match self.attempt(&mut batch, &mut attempted).await {
                Ok(Some(written)) => {
                    self.committed(&batch);
                    return Done { batch, written: Some(written), retries: backoff.attempts };
                }
                Ok(None) => {}
                Err(Failure::Fenced(claims)) => {
                    self.trace(&batch, "fenced", backoff.attempts);
                    self.fenced(&batch, claims);
                }
                Err(failure @ (Failure::Ledger(_) | Failure::LedgerBroken)) => {
                    self.trace(&batch, "ledger_refused", backoff.attempts);
                    self.halt(&batch, &failure);
                }
                Err(failure) => self.retry(&failure, &mut backoff).await,
            }
        }
    }

    /// None if the batch has to be looked at again: it has other dead letters now.
    async fn attempt(
        &mut self,
        batch: &mut Batch,
        attempted: &mut Option<Written>,
    ) -> Result<Option<Written>, Failure> {
        let mut client = self.setup.database.get().await?;
        let work = self.write_or_isolate(&mut client, batch, attempted);
        let result = timeout(ANSWER, work).await.unwrap_or(Err(Failure::TimedOut(ANSWER)));
        if result.as_ref().is_err_and(|failure| !matches!(failure, Failure::Fenced(_))) {
            // Whatever state the session is in, a new one has none; after a fail-over it finds the new primary.
            drop(Object::take(client));
        }
        result
    }

    /// Writes the batch; if the database refuses it for what rows hold, makes dead letters of these instead.
    async fn write_or_isolate(
        &mut self,
        client: &mut Client,
        batch: &mut Batch,
        attempted: &mut Option<Written>,
    ) -> Result<Option<Written>, Failure> {
        let store = &self.setup.store;
        match store.write(client, batch, attempted, &mut self.outlook).await {
            Err(Failure::Data(refusal)) => {
                store.isolate(client, batch, refusal).await.map(|()| None)
            }
            result => result.map(Some),
        }
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

    /// Halts the partitions of which too much would become dead letters.
    fn halt_what_dies(&mut self, batch: &Batch) {
        for (partition, claim, halt) in self.recent.too_many(batch) {
            if self.void.insert(claim) {
                self.send(Command::Halted(partition, claim, halt));
            }
        }
    }

    fn committed(&mut self, batch: &Batch) {
        self.recent.committed(batch);
        for span in &batch.spans {
            self.send(Command::Committed(span.partition, span.claim, span.last_offset + 1));
        }
        self.setup.health.set_condition("database", None);
    }

    fn trace(&self, batch: &Batch, refused: &'static str, retries: u32) {
        if let Some(traces) = &self.setup.traces {
            traces.ended(batch, &End::Refused(refused), retries);
        }
    }

    fn send(&self, command: Command) {
        // The source has gone only when the process is ending.
        let _ = self.setup.commands.send(command);
    }
}
