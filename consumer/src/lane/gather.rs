//! Decodes records and gathers them into batches.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::Setup;
use super::handover::{ToWriter, Turn};
use crate::batch::{BatchBuilder, fingerprint};
use crate::budget::Budget;
use crate::claim::{Claim, ClaimId, Halt, HaltReason, LastRecord};
use crate::metrics::Metrics;
use crate::source::{Chunk, Command, Commands, RawRecord, ToLane};

pub(super) struct Gather {
    inbox: mpsc::UnboundedReceiver<ToLane>,
    writer: ToWriter,
    builder: BatchBuilder,
    partitions: HashMap<i32, Reading>,
    commands: Commands,
    budget: Budget,
    metrics: Metrics,
}

/// A partition under its present claim.
struct Reading {
    claim: Claim,
    /// The first offset not gathered yet.
    next: i64,
    /// The record before the first new one, until it was seen again.
    recheck: Option<LastRecord>,
}

impl Gather {
    pub(super) fn new(
        setup: &Setup,
        builder: BatchBuilder,
        inbox: mpsc::UnboundedReceiver<ToLane>,
        writer: ToWriter,
    ) -> Self {
        Self {
            inbox,
            writer,
            builder,
            partitions: HashMap::new(),
            commands: setup.commands.clone(),
            budget: setup.budget.clone(),
            metrics: setup.metrics.clone(),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let message = match self.builder.due() {
                None => self.inbox.recv().await,
                // A batch that is due while another is written may as well grow until the writer can take it.
                Some(due) => tokio::select! {
                    biased;
                    turn = self.writer.idle_from(due) => {
                        self.hand_over_in(turn);
                        continue;
                    }
                    message = self.inbox.recv() => message,
                },
            };
            match message {
                Some(ToLane::Claimed(claim)) => self.claimed(claim).await,
                Some(ToLane::Records(chunk)) => self.records(&chunk).await,
                Some(ToLane::TailGap(partition, claim, last)) => {
                    self.tail_gap(partition, claim, last);
                }
                Some(ToLane::Released(partition)) => drop(self.partitions.remove(&partition)),
                Some(ToLane::Stop) | None => {
                    self.hand_over().await;
                    return;
                }
            }
        }
    }

    async fn claimed(&mut self, claim: Claim) {
        // A batch has each partition under one claim only.
        if self.builder.has(claim.partition) {
            self.hand_over().await;
        }
        let reading = Reading { next: claim.next_offset, recheck: claim.last.clone(), claim };
        self.partitions.insert(reading.claim.partition, reading);
    }

    async fn records(&mut self, chunk: &Arc<Chunk>) {
        let started = Instant::now();
        for position in 0..chunk.len() {
            if self.builder.is_full() {
                self.hand_over().await;
            }
            self.record(chunk, position);
        }
        self.metrics.stage("gather", started.elapsed());
    }

    fn record(&mut self, chunk: &Arc<Chunk>, position: usize) {
        let raw = chunk.record(position);
        let Some(reading) = self.partitions.get_mut(&raw.partition()) else {
            // The partition was given away meanwhile; its next owner reads the record again.
            self.budget.give_back(raw.bytes());
            return;
        };
        if let Some(last) = reading.recheck.take() {
            if let Err(halt) = same_topic(&last, raw) {
                self.budget.give_back(raw.bytes());
                self.halt(raw.partition(), halt);
                return;
            }
            if raw.offset() == last.offset {
                self.budget.give_back(raw.bytes());
                return;
            }
        }
        if raw.offset() < reading.next {
            let halt = Halt {
                reason: HaltReason::OffsetWentBack,
                text: format!(
                    "received offset {} after everything up to {} was read",
                    raw.offset(),
                    reading.next - 1
                ),
            };
            self.budget.give_back(raw.bytes());
            self.halt(raw.partition(), halt);
            return;
        }
        self.builder.push(&reading.claim, reading.next, chunk, position);
        reading.next = raw.offset() + 1;
    }

    fn tail_gap(&mut self, partition: i32, claim: ClaimId, last: i64) {
        let Some(reading) =
            self.partitions.get_mut(&partition).filter(|reading| reading.claim.id == claim)
        else {
            return;
        };
        if let Some(missing) = &reading.recheck {
            let halt = recreated(missing, "is not there any more");
            self.halt(partition, halt);
        } else if last >= reading.next {
            self.builder.push_gap(&reading.claim, reading.next, last);
            reading.next = last + 1;
        }
    }

    fn halt(&mut self, partition: i32, halt: Halt) {
        if let Some(reading) = self.partitions.remove(&partition) {
            // The source has gone only when the process is ending.
            let _ = self.commands.send(Command::Halted(partition, reading.claim.id, halt));
        }
    }

    async fn hand_over(&mut self) {
        if !self.builder.is_empty() {
            let turn = self.writer.idle().await;
            self.hand_over_in(turn);
        }
    }

    fn hand_over_in(&mut self, turn: Turn) {
        self.builder.seal();
        self.writer.write(self.builder.take(), turn);
    }
}

/// Whether the record that was the last is still the same.
fn same_topic(last: &LastRecord, raw: RawRecord<'_>) -> Result<(), Halt> {
    if raw.offset() > last.offset {
        return Err(recreated(last, "is not there any more"));
    }
    if fingerprint(raw) == *last { Ok(()) } else { Err(recreated(last, "is another one now")) }
}

fn recreated(last: &LastRecord, what: &str) -> Halt {
    Halt {
        reason: HaltReason::Recreated,
        text: format!(
            "the last record that was stored, at offset {}, {what}: the topic was recreated; read it as another \
             stream (--group)",
            last.offset
        ),
    }
}
