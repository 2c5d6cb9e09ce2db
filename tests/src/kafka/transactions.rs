//! Records in, inside a Kafka transaction: they leave markers, which take offsets, on the topic.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, ensure};
use rdkafka::{
    error::KafkaError,
    producer::{FutureProducer, Producer},
};

use super::{Acknowledged, KafkaCluster, REQUEST_DEADLINE, Record, blocking, writer::send_all};
use crate::wait::eventually;

/// How long brokers may take to write the markers.
const MARKERS: Duration = Duration::from_secs(180);

/// An open transaction. Dropped without an end it stays open until the broker times it out, and
/// holds up everyone who reads committed records.
pub struct Transaction<'a> {
    kafka: &'a KafkaCluster,
    producer: FutureProducer,
    /// The last offset of each topic and partition that was written to.
    last: Mutex<BTreeMap<(String, i32), i64>>,
}

impl KafkaCluster {
    /// Begins a transaction as `transactional_id`; whatever that id had open is aborted.
    ///
    /// # Errors
    /// The transaction coordinator refuses.
    pub async fn begin(&self, transactional_id: &str) -> Result<Transaction<'_>> {
        let mut config = self.client();
        config
            .set("transactional.id", transactional_id)
            // Longer than any test keeps one open, on a busy machine.
            .set("transaction.timeout.ms", "600000")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "2");
        let producer = blocking(move || {
            let producer: FutureProducer = config.create()?;
            producer.init_transactions(REQUEST_DEADLINE)?;
            producer.begin_transaction()?;
            Ok(producer)
        })
        .await?;
        Ok(Transaction { kafka: self, producer, last: Mutex::default() })
    }
}

impl Transaction<'_> {
    /// Publishes records inside the transaction.
    ///
    /// # Errors
    /// As for [`KafkaCluster::publish`].
    pub async fn publish(&self, topic: &str, records: Vec<Record>) -> Result<Vec<Acknowledged>> {
        let acknowledged = send_all(&self.producer, topic, records).await?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        for record in &acknowledged {
            let last = last.entry((topic.to_owned(), record.partition)).or_insert(record.offset);
            *last = record.offset.max(*last);
        }
        drop(last);
        Ok(acknowledged)
    }

    /// Makes its records visible: once this returns, readers of committed records see them.
    ///
    /// # Errors
    /// The coordinator refuses.
    pub async fn commit(self) -> Result<()> {
        self.end(|producer| producer.commit_transaction(REQUEST_DEADLINE)).await
    }

    /// Hides its records for ever. Their offsets stay taken.
    ///
    /// # Errors
    /// The coordinator refuses.
    pub async fn abort(self) -> Result<()> {
        self.end(|producer| producer.abort_transaction(REQUEST_DEADLINE)).await
    }

    /// The coordinator answers before the partitions' leaders have written the markers, which the end that readers
    /// of committed records see waits for.
    async fn end(
        self,
        how: impl FnOnce(&FutureProducer) -> Result<(), KafkaError> + Send + 'static,
    ) -> Result<()> {
        let Self { kafka, producer, last } = self;
        blocking(move || Ok(how(&producer)?)).await?;
        for ((topic, partition), last) in last.into_inner().unwrap_or_else(PoisonError::into_inner)
        {
            eventually(MARKERS, "the transaction's marker", async || {
                let (_, end) = kafka.watermarks(&topic, partition).await?;
                ensure!(end > last, "{topic}, partition {partition}: {end}, last record {last}");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}
