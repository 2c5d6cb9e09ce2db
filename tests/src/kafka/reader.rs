//! Records out.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers},
    metadata::MetadataPartition,
};

use super::{
    Acknowledged, KafkaCluster, REQUEST_DEADLINE, RawRecord, admin::watermarks, blocking,
    records::NO_TIME,
};

impl KafkaCluster {
    /// Reads all committed records of a topic that are there now, in order of partition and offset.
    ///
    /// # Errors
    /// There is no such topic, or it cannot be read to its end within three minutes.
    pub async fn read_all(&self, topic: &str) -> Result<Vec<RawRecord>> {
        let mut config = self.client();
        config
            .set("group.id", "audit-tests-reader")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10");
        let topic = topic.to_owned();
        blocking(move || read(&config, &topic)).await
    }
}

fn read(config: &ClientConfig, topic: &str) -> Result<Vec<RawRecord>> {
    const LIMIT: Duration = Duration::from_secs(180);
    let started = Instant::now();
    let client: BaseConsumer = config.create()?;
    let mut unfinished = assign_all(&client, topic)?;
    let mut records = Vec::new();
    while !unfinished.is_empty() {
        ensure!(started.elapsed() < LIMIT, "{topic} was not read to its end in {LIMIT:?}");
        match client.poll(Duration::from_millis(200)) {
            None => {}
            Some(Ok(message)) => records.push(own(&message)),
            // Reported anew when more was written meanwhile; the first end will do.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                unfinished.remove(&partition);
            }
            // librdkafka goes on by itself: a broker that has just been started again may refuse a connection.
            Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown,
            ))) => {}
            Some(Err(error)) => return Err(error).with_context(|| format!("read {topic}")),
        }
    }
    records.sort_by_key(|record| (record.at.partition, record.at.offset));
    Ok(records)
}

fn assign_all(client: &BaseConsumer, topic: &str) -> Result<HashSet<i32>> {
    let metadata = client.fetch_metadata(Some(topic), REQUEST_DEADLINE)?;
    let found = metadata.topics().first().context("no such topic")?;
    let mut list = TopicPartitionList::new();
    for partition in found.partitions() {
        // A leader that has just been elected does not know at once how far the topic is: it hands out too little, and
        // calls that the end. This question it answers only when it knows.
        watermarks(client, topic, partition.id())?;
        list.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    client.assign(&list)?;
    Ok(found.partitions().iter().map(MetadataPartition::id).collect())
}

fn own(message: &BorrowedMessage<'_>) -> RawRecord {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    RawRecord {
        at: Acknowledged {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(NO_TIME),
        },
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect(),
    }
}
