//! Reads parts of the topic once, on a thread of its own, for whoever only looks at the records.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio::sync::mpsc;
use tracing::warn;

use crate::kafka::OnceConsumer;
use crate::source::{Chunk, Rate};

/// A chunk is handed on when it has so many records or bytes, or when nothing more is waiting.
const CHUNK_RECORDS: usize = 1_000;
const CHUNK_BYTES: usize = 1 << 20;
/// Chunks that are read ahead.
const AHEAD: usize = 2;
const POLL: Duration = Duration::from_millis(100);

/// Starts reading; the channel ends after the last record, or after an error.
///
/// What is in an open transaction at the end of the topic is not waited for.
///
/// # Errors
/// The partitions or the thread cannot be had.
pub(super) fn start(
    consumer: OnceConsumer,
    topic: &str,
    ranges: &BTreeMap<i32, Range<i64>>,
    rate: Option<NonZeroU32>,
) -> anyhow::Result<mpsc::Receiver<anyhow::Result<Chunk>>> {
    let mut list = TopicPartitionList::new();
    let mut ends = BTreeMap::new();
    for (partition, range) in ranges.iter().filter(|(_, range)| !range.is_empty()) {
        list.add_partition_offset(topic, *partition, Offset::Offset(range.start))?;
        ends.insert(*partition, range.end);
    }
    consumer.incremental_assign(&list).context("cannot read the topic")?;
    let (chunks, received) = mpsc::channel(AHEAD);
    let rate = rate.map(Rate::new);
    let mut reader = Reader { consumer, topic: topic.to_owned(), ends, rate, chunks };
    std::thread::Builder::new()
        .name("reread".into())
        .spawn(move || {
            if let Err(error) = reader.run() {
                // Whoever asked may have gone.
                let _ = reader.chunks.blocking_send(Err(error));
            }
        })
        .context("cannot start the reading thread")?;
    Ok(received)
}

struct Reader {
    consumer: OnceConsumer,
    topic: String,
    /// Of the partitions that are not read to their end.
    ends: BTreeMap<i32, i64>,
    rate: Option<Rate>,
    chunks: mpsc::Sender<anyhow::Result<Chunk>>,
}

impl Reader {
    fn run(&mut self) -> anyhow::Result<()> {
        let mut chunk = Chunk::default();
        while !self.ends.is_empty() {
            let waiting = self.poll(&mut chunk)?;
            let full = chunk.len() >= CHUNK_RECORDS || chunk.bytes() >= CHUNK_BYTES;
            if (full || !waiting) && !chunk.is_empty() {
                let full = std::mem::take(&mut chunk);
                if self.chunks.blocking_send(Ok(full)).is_err() {
                    return Ok(());
                }
            }
        }
        if !chunk.is_empty() {
            let _ = self.chunks.blocking_send(Ok(chunk));
        }
        Ok(())
    }

    /// Polls once. False if there was nothing.
    fn poll(&mut self, chunk: &mut Chunk) -> anyhow::Result<bool> {
        if let Some(rate) = &self.rate {
            std::thread::sleep(rate.wait(Instant::now()));
        }
        let ended = match self.consumer.poll(POLL) {
            None => return Ok(false),
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                let Some(end) = self.ends.get(&partition) else { return Ok(true) };
                if offset < *end {
                    chunk.push(&message);
                    self.rate.iter_mut().for_each(|rate| rate.received(Instant::now()));
                }
                (offset >= end - 1).then_some(partition)
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => Some(partition),
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                bail!("records were deleted from the topic before they were read: run it again")
            }
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                bail!("the Kafka consumer failed for good: {code}")
            }
            Some(Err(error)) => {
                // librdkafka goes on by itself.
                warn!("Kafka: {error}");
                None
            }
        };
        if let Some(partition) = ended
            && self.ends.remove(&partition).is_some()
        {
            let mut list = TopicPartitionList::new();
            list.add_partition(&self.topic, partition);
            self.consumer.incremental_unassign(&list)?;
        }
        Ok(true)
    }
}
