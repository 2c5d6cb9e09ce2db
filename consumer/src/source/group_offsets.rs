//! The group's committed offsets, which only lag tools and autoscalers look at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use tracing::{info, warn};

use super::context::Context;

/// How often they are committed.
const COMMIT_EVERY: Duration = Duration::from_secs(2);

/// What is to be committed next, and when.
pub(super) struct GroupOffsets {
    topic: Arc<str>,
    next: BTreeMap<i32, i64>,
    due: Instant,
}

impl GroupOffsets {
    pub(super) fn new(topic: Arc<str>) -> Self {
        Self { topic, next: BTreeMap::new(), due: Instant::now() }
    }

    /// A partition was claimed at this offset, which lag tools are told at once.
    pub(super) fn claimed(&mut self, partition: i32, next: i64) {
        self.committed(partition, next);
        self.due = Instant::now();
    }

    /// Everything below the offset is in the database.
    pub(super) fn committed(&mut self, partition: i32, next: i64) {
        self.next.insert(partition, next);
    }

    /// The partition is somebody else's.
    pub(super) fn revoked(&mut self, partition: i32) {
        self.next.remove(&partition);
    }

    /// Commits what there is, if it is time.
    pub(super) fn commit_when_due(&mut self, consumer: &BaseConsumer<Context>) {
        if Instant::now() >= self.due {
            self.commit(consumer, CommitMode::Async);
        }
    }

    /// Commits what there is.
    pub(super) fn commit(&mut self, consumer: &BaseConsumer<Context>, mode: CommitMode) {
        if self.next.is_empty() {
            return;
        }
        let mut list = TopicPartitionList::new();
        for (partition, next) in std::mem::take(&mut self.next) {
            if let Err(error) =
                list.add_partition_offset(&self.topic, partition, Offset::Offset(next))
            {
                warn!(partition, "cannot commit the group's offset {next}: {error}");
            }
        }
        if let Err(error) = consumer.commit(&list, mode) {
            info!("the group's offsets are not committed, which only lag tools notice: {error}");
        }
        self.due = Instant::now() + COMMIT_EVERY;
    }
}
