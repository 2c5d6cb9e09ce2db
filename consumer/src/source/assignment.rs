//! What becomes of each partition between the group's giving and taking it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use audit_runtime::admin::Health;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tracing::{error, info, warn};

use super::context::Context;
use super::tail::{Snapshot, Tail};
use super::{Command, Commands, ReadPosition};
use crate::claim::{Claim, ClaimId, Halt};
use crate::metrics::Metrics;
use crate::takeover::{Takeover, jittered_delay};

/// The partitions that are this process's to read.
pub(super) struct Assignment {
    topic: Arc<str>,
    partitions: BTreeMap<i32, Partition>,
    /// Where reading ends; nowhere for what a group gives.
    ends: BTreeMap<i32, i64>,
    /// Partitions that were read at any time: the client may still have statistics of that.
    ever_read: BTreeSet<i32>,
    next_claim: u64,
    takeover: Takeover,
    commands: Commands,
    runtime: Handle,
    metrics: Metrics,
    health: Health,
}

struct Partition {
    claim: ClaimId,
    state: State,
    committed: Option<i64>,
}

enum State {
    /// Waiting for the database.
    TakingOver(AbortHandle),
    /// Added to the consumer; `next` is the next offset to be received.
    Reading { next: i64, tail: Tail, paused: bool },
    /// Everything before its end was received.
    Ended,
    /// Waiting for an operator.
    Halted,
}

impl Assignment {
    pub(super) fn new(
        topic: Arc<str>,
        takeover: Takeover,
        commands: Commands,
        metrics: Metrics,
        health: Health,
    ) -> Self {
        let runtime = Handle::current();
        Self {
            topic,
            partitions: BTreeMap::new(),
            ends: BTreeMap::new(),
            ever_read: BTreeSet::new(),
            next_claim: 0,
            takeover,
            commands,
            runtime,
            metrics,
            health,
        }
    }

    /// Takes the partitions that have an end, which no group gives.
    pub(super) fn bounded(mut self, ends: BTreeMap<i32, i64>) -> Self {
        ends.keys().for_each(|partition| self.assigned(*partition));
        Self { ends, ..self }
    }

    /// Whether nothing is left to do: each partition is committed up to its end, or waits for an operator.
    pub(super) fn is_finished(&self) -> bool {
        let is_done = |(partition, end): (&i32, &i64)| {
            self.partitions.get(partition).is_some_and(|known| {
                matches!(known.state, State::Halted) || known.committed >= Some(*end)
            })
        };
        !self.ends.is_empty() && self.ends.iter().all(is_done)
    }

    /// A partition is to be read: the database is asked where it stands.
    pub(super) fn assigned(&mut self, partition: i32) {
        self.take_over(partition, Duration::ZERO);
    }

    /// The group takes a partition away.
    pub(super) fn revoked(&mut self, partition: i32) {
        if let Some(Partition { state: State::TakingOver(takeover), .. }) =
            self.partitions.remove(&partition)
        {
            takeover.abort();
        }
        self.forget_metrics(partition);
    }

    /// A takeover succeeded: the partition is added at the database's offset. False if nothing of it is wanted any more.
    pub(super) fn claimed(&mut self, consumer: &BaseConsumer<Context>, claim: &Claim) -> bool {
        let end = self.end(claim.partition);
        let Some(partition) =
            self.partitions.get_mut(&claim.partition).filter(|known| known.claim == claim.id)
        else {
            return false;
        };
        if claim.next_offset >= end {
            partition.state = State::Ended;
            partition.committed = Some(claim.next_offset);
            return false;
        }
        let start = Offset::Offset(claim.fetch_from());
        let mut list = TopicPartitionList::new();
        let added = list
            .add_partition_offset(&self.topic, claim.partition, start)
            .and_then(|()| consumer.incremental_assign(&list));
        if let Err(error) = added {
            warn!(partition = claim.partition, "cannot start reading: {error}");
            self.take_over(claim.partition, jittered_delay());
            return false;
        }
        let read_before = !self.ever_read.insert(claim.partition);
        partition.state = State::Reading {
            next: claim.fetch_from(),
            tail: Tail::new(read_before),
            paused: false,
        };
        partition.committed = Some(claim.next_offset);
        true
    }

    /// The claim is void: take the partition over again, unless it is not ours any more.
    pub(super) fn lost(
        &mut self,
        consumer: &BaseConsumer<Context>,
        partition: i32,
        claim: ClaimId,
    ) -> bool {
        if !self.is_current(partition, claim) {
            return false;
        }
        info!(partition, "taking the partition over again");
        self.stop_reading(consumer, partition);
        self.take_over(partition, jittered_delay());
        true
    }

    /// Stops reading until an operator decides.
    pub(super) fn halted(
        &mut self,
        consumer: &BaseConsumer<Context>,
        partition: i32,
        claim: ClaimId,
        halt: &Halt,
    ) -> bool {
        if !self.is_current(partition, claim) {
            return false;
        }
        error!(partition, reason = halt.reason.as_str(), "partition halted: {}", halt.text);
        self.stop_reading(consumer, partition);
        if let Some(known) = self.partitions.get_mut(&partition) {
            known.state = State::Halted;
        }
        self.metrics
            .partition_halted
            .with_label_values(&[&*partition.to_string(), halt.reason.as_str()])
            .set(1);
        let text = format!("halted, {}: {}", halt.reason, halt.text);
        self.health.set_condition(&condition(partition), Some(text));
        let (takeover, halt) = (self.takeover.clone(), halt.clone());
        self.runtime.spawn(async move { takeover.note_halt(partition, &halt).await });
        true
    }

    /// A record was received. False if it does not belong to what is read now.
    pub(super) fn received(&mut self, partition: i32, offset: i64) -> bool {
        let end = self.end(partition);
        match self.partitions.get_mut(&partition) {
            Some(Partition { state: State::Reading { next, tail, .. }, .. }) if offset < end => {
                *next = offset + 1;
                tail.record();
                true
            }
            _ => false,
        }
    }

    /// Statistics of a partition: the last offset of a gap at its tail, if there is one.
    pub(super) fn tail_gap(
        &mut self,
        partition: i32,
        snapshot: Snapshot,
    ) -> Option<(ClaimId, i64)> {
        let end = self.end(partition);
        let known = self.partitions.get_mut(&partition)?;
        let State::Reading { next, tail, .. } = &mut known.state else { return None };
        let last = tail.snapshot(snapshot, *next)?.min(end - 1);
        *next = last + 1;
        Some((known.claim, last))
    }

    /// Everything up to the offset has been received. If the partition ends there or before, it is read no further;
    /// gives the last offset of the gap before its end, if there is one.
    pub(super) fn end_at(
        &mut self,
        consumer: &BaseConsumer<Context>,
        partition: i32,
        offset: i64,
    ) -> Option<(ClaimId, i64)> {
        let end = self.end(partition);
        if offset < end - 1 {
            return None;
        }
        let State::Reading { next, .. } = self.partitions.get(&partition)?.state else {
            return None;
        };
        self.stop_reading(consumer, partition);
        let known = self.partitions.get_mut(&partition)?;
        known.state = State::Ended;
        (next < end).then_some((known.claim, end - 1))
    }

    /// Everything below `next` is committed.
    pub(super) fn committed(&mut self, partition: i32, claim: ClaimId, next: i64) {
        if let Some(known) =
            self.partitions.get_mut(&partition).filter(|known| known.claim == claim)
        {
            known.committed = Some(next);
        }
    }

    /// Where every partition stands.
    pub(super) fn positions(&self) -> Vec<ReadPosition> {
        let position = |(partition, known): (&i32, &Partition)| ReadPosition {
            partition: *partition,
            claim: known.claim,
            next: match known.state {
                State::Reading { next, .. } => Some(next),
                State::TakingOver(_) | State::Ended | State::Halted => None,
            },
            committed: known.committed,
        };
        self.partitions.iter().map(position).collect()
    }

    /// Pauses what is read and not paused yet.
    pub(super) fn pause(&mut self, consumer: &BaseConsumer<Context>) -> KafkaResult<()> {
        let list = self.set_paused(true);
        if list.count() > 0 { consumer.pause(&list) } else { Ok(()) }
    }

    /// Resumes what was paused, and nothing else: to librdkafka that would be a rewind of partitions that it paused
    /// itself for a rebalance.
    pub(super) fn resume(&mut self, consumer: &BaseConsumer<Context>) -> KafkaResult<()> {
        let list = self.set_paused(false);
        if list.count() > 0 { consumer.resume(&list) } else { Ok(()) }
    }

    /// Gives the partitions for which that is new.
    fn set_paused(&mut self, now: bool) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (partition, known) in &mut self.partitions {
            if let State::Reading { paused, .. } = &mut known.state
                && std::mem::replace(paused, now) != now
            {
                list.add_partition(&self.topic, *partition);
            }
        }
        list
    }

    /// The first offset of a partition that is not wanted.
    fn end(&self, partition: i32) -> i64 {
        self.ends.get(&partition).copied().unwrap_or(i64::MAX)
    }

    fn is_current(&self, partition: i32, claim: ClaimId) -> bool {
        self.partitions.get(&partition).is_some_and(|known| known.claim == claim)
    }

    fn stop_reading(&mut self, consumer: &BaseConsumer<Context>, partition: i32) {
        if let Some(Partition { state: State::Reading { .. }, .. }) =
            self.partitions.get(&partition)
        {
            let mut list = TopicPartitionList::new();
            list.add_partition(&self.topic, partition);
            if let Err(error) = unassign(consumer, &list) {
                warn!(partition, "cannot stop reading: {error}");
            }
        }
    }

    fn take_over(&mut self, partition: i32, delay: Duration) {
        self.next_claim += 1;
        let claim = ClaimId(self.next_claim);
        let (takeover, commands) = (self.takeover.clone(), self.commands.clone());
        let task = self.runtime.spawn(async move {
            tokio::time::sleep(delay).await;
            let answer = match takeover.run(partition, claim).await {
                Ok(claim) => Command::Claimed(claim),
                Err(halt) => Command::Halted(partition, claim, halt),
            };
            // The source has gone only when the process is ending.
            let _ = commands.send(answer);
        });
        let state = State::TakingOver(task.abort_handle());
        self.partitions.insert(partition, Partition { claim, state, committed: None });
        self.show_count();
    }

    fn show_count(&self) {
        let count = i64::try_from(self.partitions.len()).unwrap_or(i64::MAX);
        self.metrics.assigned_partitions.set(count);
    }

    fn forget_metrics(&self, partition: i32) {
        self.health.set_condition(&condition(partition), None);
        self.show_count();
        let label = partition.to_string();
        // Absent series are fine: not every partition was observed or halted.
        let _ = self.metrics.partition_lag.remove_label_values(&[&*label]);
        for reason in crate::claim::HaltReason::ALL {
            let _ = self.metrics.partition_halted.remove_label_values(&[&*label, reason.as_str()]);
        }
    }
}

/// Takes partitions out of what is read.
///
/// librdkafka keeps a pause through unassigning and assigning a partition again, so it ends here. Afterwards would be
/// too late: the resume could overtake the start of the next assignment, whose records then count as outdated.
pub(super) fn unassign(
    consumer: &BaseConsumer<Context>,
    list: &TopicPartitionList,
) -> KafkaResult<()> {
    consumer.resume(list)?;
    consumer.incremental_unassign(list)
}

/// The name under which a halted partition is shown by `/readyz?verbose`.
fn condition(partition: i32) -> String {
    format!("partition {partition}")
}
