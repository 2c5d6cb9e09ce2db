//! Questions to the brokers about the topic, from a client of its own, outside the consumer group.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use audit_runtime::kafka::{KafkaOptions, explain};
use audit_schema::topic::{TopicSetting, required_settings};
use chrono::{DateTime, TimeDelta, Utc};
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::setup_error;

/// How long one question to the brokers may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for a callback that is due.
const POLL: Duration = Duration::from_millis(50);

/// Asks the brokers about the topic, outside the consumer group.
#[derive(Clone)]
pub struct Probe {
    consumer: Arc<BaseConsumer<Complaints>>,
    properties: Arc<[(String, String)]>,
    admin: Arc<AdminClient<DefaultClientContext>>,
    topic: Arc<str>,
}

/// First offset still there, and the offset the next record will get, of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// Log start.
    pub low: i64,
    /// High watermark: open transactions included.
    pub high: i64,
}

impl Probe {
    /// A client for questions only.
    ///
    /// # Errors
    /// A property librdkafka does not accept.
    pub fn new(options: &KafkaOptions) -> anyhow::Result<Self> {
        let mut config = ClientConfig::new();
        let properties = options.properties();
        for (name, value) in &properties {
            // These belong to a group, which this client is not in.
            if !super::of_group(name) && name != "statistics.interval.ms" {
                config.set(name, value);
            }
        }
        config.set("client.id", "kubernaut-audit-consumer-probe");
        // The end of the log must include what open transactions have written.
        config.set("isolation.level", "read_uncommitted");
        Ok(Self {
            consumer: Arc::new(
                config.create_with_context(Complaints::default()).map_err(setup_error)?,
            ),
            properties: properties.into(),
            admin: Arc::new(config.create().map_err(setup_error)?),
            topic: options.topic.as_str().into(),
        })
    }

    /// The brokers, and the topic as they know it.
    ///
    /// # Errors
    /// The brokers cannot be reached, and why.
    pub async fn metadata(&self) -> anyhow::Result<Metadata> {
        let topic = Arc::clone(&self.topic);
        let properties = Arc::clone(&self.properties);
        let asking = self.ask(move |consumer| {
            let answer = consumer.fetch_metadata(Some(&topic), TIMEOUT);
            let complaint = consumer.context().latest(consumer, answer.is_ok());
            Ok(answer.map_err(|error| {
                let complaint = complaint.or_else(|| match error.rdkafka_error_code() {
                    Some(
                        RDKafkaErrorCode::BrokerTransportFailure
                        | RDKafkaErrorCode::OperationTimedOut,
                    ) => None,
                    _ => Some(error.to_string()),
                });
                anyhow!(explain(&properties, complaint.as_deref()))
            }))
        });
        asking.await?
    }

    /// The assignor and the number of members of a group of the classic protocol; none if there is no such group.
    ///
    /// # Errors
    /// The group's coordinator cannot be asked.
    pub async fn group(&self, group: &str) -> Result<Option<(String, usize)>, KafkaError> {
        let group = group.to_owned();
        self.ask(move |consumer| {
            let list = consumer.fetch_group_list(Some(&group), TIMEOUT)?;
            let found = list.groups().first();
            Ok(found.map(|group| (group.protocol().to_owned(), group.members().len())))
        })
        .await
    }

    /// The offset of a partition's first record with this timestamp or a later one; none if there is no such record.
    ///
    /// # Errors
    /// The partition's leader cannot be asked.
    pub async fn offset_from(
        &self,
        partition: i32,
        time: DateTime<Utc>,
    ) -> Result<Option<i64>, KafkaError> {
        let mut times = TopicPartitionList::new();
        // Kafka counts milliseconds, of which the first that is not before the time; negative numbers mean other things
        // to it.
        let millis = (time + TimeDelta::microseconds(999)).timestamp_millis().max(0);
        let time = Offset::Offset(millis);
        times.add_partition_offset(&self.topic, partition, time)?;
        let offsets = self.ask(move |consumer| consumer.offsets_for_times(times, TIMEOUT)).await?;
        let found = offsets.elements().first().map(|found| (found.offset(), found.error()));
        match found {
            Some((_, Err(error))) => Err(error),
            Some((Offset::Offset(offset), Ok(()))) => Ok(Some(offset)),
            _ => Ok(None),
        }
    }

    /// How many partitions the topic has.
    ///
    /// # Errors
    /// The brokers cannot be reached, or do not know the topic.
    pub async fn partitions(&self) -> anyhow::Result<i32> {
        let metadata = self.metadata().await.context("cannot reach Kafka (--brokers)")?;
        let found = metadata.topics().iter().find(|found| found.name() == &*self.topic);
        let partitions = found.map_or(0, |found| found.partitions().len());
        if partitions == 0 {
            bail!(
                "Kafka does not know the topic {} (--topic); create it with `audit-producer topic create`",
                self.topic
            );
        }
        Ok(i32::try_from(partitions)?)
    }

    /// Both ends of a partition's log.
    ///
    /// # Errors
    /// The partition's leader cannot be asked.
    pub async fn watermarks(&self, partition: i32) -> Result<Watermarks, KafkaError> {
        let topic = Arc::clone(&self.topic);
        let (low, high) =
            self.ask(move |consumer| consumer.fetch_watermarks(&topic, partition, TIMEOUT)).await?;
        Ok(Watermarks { low, high })
    }

    /// The topic's `message.timestamp.type`; none if the brokers do not say.
    pub async fn timestamp_type(&self) -> Option<String> {
        self.settings().await.ok()?.get("message.timestamp.type")?.value.clone()
    }

    /// The settings of the topic that differ from what the project asks for, each with its actual value. None if
    /// the brokers do not say.
    pub async fn unmet_settings(&self) -> Vec<(TopicSetting, String)> {
        let Ok(settings) = self.settings().await else { return Vec::new() };
        // How many brokers should have a record is `topic check`'s to ask; here one is enough.
        let unmet = |wanted: TopicSetting| {
            let actual = settings.get(wanted.name)?.value.clone()?;
            (!wanted.is_met_by(&actual)).then_some((wanted, actual))
        };
        required_settings(1).into_iter().filter_map(unmet).collect()
    }

    /// The settings of the topic, defaults included.
    ///
    /// # Errors
    /// The brokers do not say.
    pub async fn settings(&self) -> Result<ConfigResource, KafkaError> {
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
        let topic = ResourceSpecifier::Topic(&self.topic);
        let found = self.admin.describe_configs([&topic], &options).await?.pop();
        found.unwrap_or(Err(RDKafkaErrorCode::UnknownTopic)).map_err(KafkaError::AdminOp)
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&BaseConsumer<Complaints>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, KafkaError> {
        let consumer = Arc::clone(&self.consumer);
        // librdkafka's calls block.
        match tokio::task::spawn_blocking(move || question(&consumer)).await {
            Ok(answer) => answer,
            Err(_) => Err(KafkaError::Canceled),
        }
    }
}

/// The last complaint of the client that asks questions; the group's client has its log for them.
#[derive(Default)]
struct Complaints(Mutex<Option<String>>);

impl Complaints {
    /// Lets the callbacks come, which only polling does; this client reads nothing, so nothing else comes. A complaint
    /// is kept until the trouble is `over`, since librdkafka does not repeat it for half a minute.
    fn latest(&self, consumer: &BaseConsumer<Self>, over: bool) -> Option<String> {
        while consumer.poll(POLL).is_some() {}
        let mut complaint = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if over { complaint.take() } else { complaint.clone() }
    }
}

impl ClientContext for Complaints {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", "{facility}: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // That all brokers are down is the consequence; the complaint before it was the cause.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for Complaints {}
