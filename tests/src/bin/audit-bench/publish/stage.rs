//! The broker, and a topic for each measurement.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use audit_producer::PublisherOptions;
use audit_tests::kafka::KafkaCluster;

use super::{events::SOURCE, settings::Settings};

pub(crate) struct Stage {
    kafka: KafkaCluster,
    partitions: i32,
    properties: Vec<(String, String)>,
    topics: AtomicU32,
}

impl Stage {
    pub(crate) async fn set(settings: &Settings) -> Result<Self> {
        Ok(Self {
            kafka: KafkaCluster::start(1).await?,
            partitions: settings.partitions,
            properties: settings.properties(),
            topics: AtomicU32::new(0),
        })
    }

    /// Makes an empty topic, with the settings the project asks for.
    pub(crate) async fn fresh_topic(&self) -> Result<String> {
        let topic = format!("measured-{}", self.topics.fetch_add(1, Ordering::Relaxed));
        self.kafka.create_audit_topic(&topic, self.partitions).await?;
        Ok(topic)
    }

    /// Deletes the topic; gives how many records it had.
    pub(crate) async fn clear(&self, topic: &str) -> Result<u32> {
        let mut records = 0;
        for partition in 0..self.partitions {
            records += self.kafka.watermarks(topic, partition).await?.1;
        }
        self.kafka.delete_topic(topic).await?;
        Ok(records.try_into()?)
    }

    pub(crate) fn brokers(&self) -> &str {
        self.kafka.bootstrap()
    }

    /// What publishers in this process are told.
    pub(crate) fn options(&self, topic: &str) -> PublisherOptions {
        PublisherOptions {
            brokers: self.brokers().to_owned(),
            topic: topic.to_owned(),
            source: SOURCE.to_owned(),
            properties: self.properties.clone(),
            ..PublisherOptions::default()
        }
    }

    /// The same for the gateway's environment.
    pub(crate) fn properties(&self) -> String {
        let pairs = self.properties.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("\n")
    }
}
