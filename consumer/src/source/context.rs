//! librdkafka's callbacks. All run on the polling thread, so none of them may wait for anything.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Statistics, TopicPartitionList};
use tracing::{debug, error, info, warn};

use super::assignment::unassign;
use super::tail::Snapshot;

/// What the callbacks saw since the polling thread last looked.
#[derive(Debug)]
pub(super) enum Event {
    /// The group gives us these partitions.
    Assigned(Vec<i32>),
    /// The group takes these away.
    Revoked(Vec<i32>),
    /// Another topic has taken the name: offsets and records are not those of the one before.
    TopicReplaced,
    /// The brokers do not know the group protocol that was asked for.
    ProtocolUnsupported,
    /// Statistics, per partition.
    Statistics(Vec<(i32, Snapshot)>),
}

/// Collects [`Event`]s for the polling thread.
pub(super) struct Context {
    topic: String,
    events: Mutex<Vec<Event>>,
}

impl Context {
    pub(super) fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned(), events: Mutex::default() }
    }

    /// What happened since the last call.
    pub(super) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.lock())
    }

    fn push(&self, event: Event) {
        self.lock().push(event);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => {
                error!(target: "librdkafka", "{fac}: {log_message}");
            }
            RDKafkaLogLevel::Warning => warn!(target: "librdkafka", "{fac}: {log_message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                info!(target: "librdkafka", "{fac}: {log_message}");
            }
            RDKafkaLogLevel::Debug => {
                if says_replaced(log_message, &self.topic) {
                    self.push(Event::TopicReplaced);
                }
                if says_unsupported(log_message) {
                    self.push(Event::ProtocolUnsupported);
                }
                debug!(target: "librdkafka", "{fac}: {log_message}");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // librdkafka logs the cause itself, once; here it comes again every second of an outage.
        debug!(target: "librdkafka", "{error}: {reason}");
    }

    fn stats(&self, statistics: Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let partitions = topic.partitions.values().filter(|partition| partition.partition >= 0);
        let snapshot = |p: &rdkafka::statistics::Partition| Snapshot {
            next_offset: p.next_offset,
            queued: p.fetchq_cnt,
        };
        self.push(Event::Statistics(partitions.map(|p| (p.partition, snapshot(p))).collect()));
    }
}

impl ConsumerContext for Context {
    /// Answers at once and with nothing: the database decides later, partition by partition, where to start.
    /// An assignment left unanswered would never end the rebalance, and would hang the close.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let ours = |element: &TopicPartitionListElem<'_>| element.topic() == self.topic;
        let partitions: Vec<i32> = list
            .elements()
            .iter()
            .filter(|element| ours(element))
            .map(TopicPartitionListElem::partition)
            .collect();
        let answer = match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let answer = consumer.incremental_assign(&TopicPartitionList::new());
                self.push(Event::Assigned(partitions));
                answer
            }
            _ => {
                // Only what was really added can be taken back; the rest is still waiting for its takeover.
                let answer = consumer.assignment().and_then(|assigned| {
                    let mut ours = TopicPartitionList::new();
                    for partition in &partitions {
                        if assigned.find_partition(&self.topic, *partition).is_some() {
                            ours.add_partition(&self.topic, *partition);
                        }
                    }
                    unassign(consumer, &ours)
                });
                self.push(Event::Revoked(partitions));
                answer
            }
        };
        if let Err(error) = answer {
            error!("cannot answer the rebalance: {error}");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        // The group's offsets are for lag tools only; the next commit comes within seconds.
        if let Err(error) = result {
            debug!("the group's offsets were not committed: {error}");
        }
    }
}

/// Whether librdkafka says that the topic's id is another one than before.
///
/// It goes on reading at the old offset then, tells no application, and this message at debug level (asked for in
/// `crate::kafka`) is the only sign. It comes through the queue of the records, before any of the new topic.
fn says_replaced(message: &str, topic: &str) -> bool {
    let Some((_, change)) = message.split_once(&format!("Topic {topic} changed id from ")) else {
        return false;
    };
    // The first id is learnt by a change from the one that is all zeroes.
    change.split(' ').next().is_some_and(|before| !before.trim_matches('A').is_empty())
}

/// Whether librdkafka says that it finds no broker of the group protocol KIP-848.
///
/// It looks for another coordinator for ever then, and tells only its debug log (asked for in `crate::kafka`).
fn says_unsupported(message: &str) -> bool {
    message.contains("ConsumerGroupHeartbeatRequest not supported by broker")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_replaced_when_its_known_id_changes() {
        let line =
            "[thrd:main]: Topic t changed id from zmEtIdwZQXGWBcSbv9fQQw to sBVqC3lcRZ2fQtcmFkzUPw";
        assert!(says_replaced(line, "t"));
        assert!(!says_replaced(line, "other"));
        let line =
            "[thrd:main]: Topic t changed id from AAAAAAAAAAAAAAAAAAAAAA to sBVqC3lcRZ2fQtcmFkzUPw";
        assert!(!says_replaced(line, "t"), "it was not known before");
    }
}
