//! Fills a topic as fast as the project's own publisher goes.

use std::collections::VecDeque;

use anyhow::Result;
use audit_producer::{AuditPublisher, Identity, Publish, PublisherOptions, Receipt, Record};
use audit_tests::{
    generator::{Generator, IdKind},
    kafka::KafkaCluster,
};

use crate::say;

/// Receipts that are waited for at a time.
const IN_FLIGHT: usize = 10_000;
/// Where events come from, as CloudEvents has it.
const SOURCE: &str = "/clusters/bench/namespaces/default";

/// What it came to.
pub(super) struct Filled {
    /// Connected by now.
    pub(super) publisher: AuditPublisher,
    /// Bytes of the events' JSON, on average.
    pub(super) event_bytes: u64,
    /// Bytes of the broker's log, per event.
    pub(super) topic_bytes: u64,
}

/// Creates the topic and publishes so many events to it.
pub(super) async fn fill(
    kafka: &KafkaCluster,
    topic: &str,
    partitions: i32,
    events: u32,
    generator: &mut Generator,
) -> Result<Filled> {
    kafka.create_audit_topic(topic, partitions).await?;
    say(&format!("publishing {events} events to {partitions} partitions"))?;
    let publisher = publisher(kafka, topic)?;
    let mut bytes = 0;
    let mut receipts: VecDeque<Receipt> = VecDeque::with_capacity(IN_FLIGHT);
    for _ in 0..events {
        let record = record(generator)?;
        bytes += u64::try_from(record.value().len())?;
        receipts.push_back(Publish::publish(&publisher, record).await?);
        if receipts.len() == IN_FLIGHT
            && let Some(oldest) = receipts.pop_front()
        {
            oldest.await?;
        }
    }
    for receipt in receipts {
        receipt.await?;
    }
    let events = u64::from(events);
    let topic_bytes = kafka.log_bytes(topic)? / events;
    Ok(Filled { publisher, event_bytes: bytes / events, topic_bytes })
}

/// The project's own, with its defaults but for the deadline: the broker is as busy as it can be.
fn publisher(kafka: &KafkaCluster, topic: &str) -> Result<AuditPublisher> {
    Ok(AuditPublisher::new(&PublisherOptions {
        brokers: kafka.bootstrap().to_owned(),
        topic: topic.to_owned(),
        deadline: std::time::Duration::from_secs(60),
        ..PublisherOptions::default()
    })?)
}

/// An event as the controller's: its id carries the resource's creation time.
pub(super) fn record(generator: &mut Generator) -> Result<Record> {
    let value = generator.event(IdKind::Dated).value();
    Ok(Record::from_json(&value, Identity::Content, SOURCE)?)
}
