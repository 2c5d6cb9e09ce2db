//! Reads parts of a partition, outside any group.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use audit_runtime::kafka::KafkaOptions;
use chrono::{DateTime, Utc};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::kafka::{OnceConsumer, Watermarks, once_consumer};
use crate::source::Chunk;

/// How long one question to the brokers may take.
const TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(200);
/// How long nothing may come of a partition that has more.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Reader {
    consumer: OnceConsumer,
    topic: String,
}

impl Reader {
    /// # Errors
    /// As for [`once_consumer`].
    pub(super) fn new(options: &KafkaOptions) -> anyhow::Result<Self> {
        // What the topic has deleted meanwhile is passed over; the log's start is asked for again afterwards.
        let consumer = once_consumer(options, "kubernaut-audit-verify", "earliest")?;
        Ok(Self { consumer, topic: options.topic.clone() })
    }

    /// Both ends of a partition's log.
    pub(super) fn watermarks(&self, partition: i32) -> anyhow::Result<Watermarks> {
        let found = self.consumer.fetch_watermarks(&self.topic, partition, TIMEOUT);
        let (low, high) = found.with_context(|| self.unreadable(partition))?;
        Ok(Watermarks { low, high })
    }

    /// The offset of the first record with this timestamp or a later one; none if there is no such record.
    pub(super) fn first_from(
        &self,
        partition: i32,
        time: DateTime<Utc>,
    ) -> anyhow::Result<Option<i64>> {
        let mut times = TopicPartitionList::new();
        let time = Offset::Offset(time.timestamp_millis());
        times.add_partition_offset(&self.topic, partition, time)?;
        let found = self.consumer.offsets_for_times(times, TIMEOUT);
        let found = found.with_context(|| self.unreadable(partition))?;
        match found.elements().first().map(|found| (found.offset(), found.error())) {
            Some((_, Err(error))) => Err(error).with_context(|| self.unreadable(partition)),
            Some((Offset::Offset(offset), Ok(()))) => Ok(Some(offset)),
            _ => Ok(None),
        }
    }

    /// Gives each committed record of the range, alone in a chunk.
    ///
    /// # Errors
    /// The partition cannot be read to the end of the range.
    pub(super) fn read(
        &self,
        partition: i32,
        range: Range<i64>,
        mut take: impl FnMut(&Chunk) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(&self.topic, partition, Offset::Offset(range.start))?;
        self.consumer.assign(&from).with_context(|| self.unreadable(partition))?;
        let mut heard = Instant::now();
        let mut complaint = None;
        loop {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) if message.partition() == partition => {
                    if message.offset() >= range.end {
                        return Ok(());
                    }
                    let mut chunk = Chunk::default();
                    chunk.push(&message);
                    take(&chunk)?;
                    if message.offset() + 1 == range.end {
                        return Ok(());
                    }
                    heard = Instant::now();
                }
                // All of the range was committed long ago, so there is nothing in front of it that comes later.
                Some(Err(KafkaError::PartitionEOF(ended))) if ended == partition => return Ok(()),
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                    return Err(error).with_context(|| self.unreadable(partition));
                }
                // librdkafka goes on by itself.
                Some(Err(error)) => complaint = Some(error),
                _ => {}
            }
            if heard.elapsed() >= PATIENCE {
                let why = complaint.map_or_else(|| "nothing comes".to_owned(), |e| e.to_string());
                bail!("{}: {why}", self.unreadable(partition));
            }
        }
    }

    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    fn unreadable(&self, partition: i32) -> String {
        format!("cannot read partition {partition} of {}", self.topic)
    }
}
