//! Records in.

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};

use super::{Acknowledged, KafkaCluster, REQUEST_DEADLINE, Record, records::NO_TIME};

/// Records waiting for the broker at a time.
const IN_FLIGHT: usize = 10_000;

/// A producer with acks=all and idempotence: what it has acknowledged is there once, in order.
pub struct Publisher {
    producer: FutureProducer,
}

impl KafkaCluster {
    /// Publishes records with a [`Publisher`] of their own.
    ///
    /// # Errors
    /// As for [`Publisher::publish`].
    pub async fn publish(&self, topic: &str, records: Vec<Record>) -> Result<Vec<Acknowledged>> {
        self.publisher()?.publish(topic, records).await
    }

    /// A producer that keeps trying for three minutes when brokers come and go.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn publisher(&self) -> Result<Publisher> {
        let mut config = self.client();
        config
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "2")
            .set("queue.buffering.max.kbytes", "1048576")
            .set("message.timeout.ms", "180000");
        Ok(Publisher { producer: config.create()? })
    }
}

impl Publisher {
    /// Publishes records in their order and waits for all acknowledgements, which come back in the
    /// same order.
    ///
    /// # Errors
    /// One was refused or not acknowledged in time; others may have been written.
    pub async fn publish(&self, topic: &str, records: Vec<Record>) -> Result<Vec<Acknowledged>> {
        send_all(&self.producer, topic, records).await
    }
}

pub(super) async fn send_all(
    producer: &FutureProducer,
    topic: &str,
    records: Vec<Record>,
) -> Result<Vec<Acknowledged>> {
    stream::iter(records)
        .map(|record| send(producer, topic, record))
        .buffered(IN_FLIGHT)
        .try_collect()
        .await
}

async fn send(producer: &FutureProducer, topic: &str, record: Record) -> Result<Acknowledged> {
    let headers = record.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: value.as_deref() })
    });
    let outgoing = FutureRecord {
        topic,
        partition: record.partition,
        payload: record.value.as_deref(),
        key: record.key.as_deref(),
        timestamp: record.timestamp_ms,
        headers: Some(headers),
    };
    let delivery = producer
        .send::<[u8], [u8], _>(outgoing, REQUEST_DEADLINE)
        .await
        .map_err(|(error, _)| error)
        .with_context(|| format!("publish to {topic}"))?;
    Ok(Acknowledged {
        partition: delivery.partition,
        offset: delivery.offset,
        timestamp_ms: delivery.timestamp.to_millis().unwrap_or(NO_TIME),
    })
}
