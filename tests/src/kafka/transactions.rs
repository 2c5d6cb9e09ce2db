//! Records in, inside a Kafka transaction: they leave markers, which take offsets, on the topic.

use anyhow::Result;
use rdkafka::producer::{FutureProducer, Producer};

use super::{Acknowledged, KafkaCluster, REQUEST_DEADLINE, Record, blocking, writer::send_all};

/// An open transaction. Dropped without an end it stays open until the broker times it out, and
/// holds up everyone who reads committed records.
pub struct Transaction {
    producer: FutureProducer,
}

impl KafkaCluster {
    /// Begins a transaction as `transactional_id`; whatever that id had open is aborted.
    ///
    /// # Errors
    /// The transaction coordinator refuses.
    pub async fn begin(&self, transactional_id: &str) -> Result<Transaction> {
        let mut config = self.client();
        config
            .set("transactional.id", transactional_id)
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "2");
        blocking(move || {
            let producer: FutureProducer = config.create()?;
            producer.init_transactions(REQUEST_DEADLINE)?;
            producer.begin_transaction()?;
            Ok(Transaction { producer })
        })
        .await
    }
}

impl Transaction {
    /// Publishes records inside the transaction.
    ///
    /// # Errors
    /// As for [`KafkaCluster::publish`].
    pub async fn publish(&self, topic: &str, records: Vec<Record>) -> Result<Vec<Acknowledged>> {
        send_all(&self.producer, topic, records).await
    }

    /// Makes its records visible.
    ///
    /// # Errors
    /// The coordinator refuses.
    pub async fn commit(self) -> Result<()> {
        blocking(move || Ok(self.producer.commit_transaction(REQUEST_DEADLINE)?)).await
    }

    /// Hides its records for ever. Their offsets stay taken.
    ///
    /// # Errors
    /// The coordinator refuses.
    pub async fn abort(self) -> Result<()> {
        blocking(move || Ok(self.producer.abort_transaction(REQUEST_DEADLINE)?)).await
    }
}
