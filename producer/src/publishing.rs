//! The options of every command that publishes, and the publisher they mean.

use std::time::Duration;

use audit_producer::{AuditPublisher, PublisherOptions, SetupError};
use audit_runtime::duration;
use audit_runtime::exit::UsageError;
use audit_runtime::kafka::KafkaOptions;
use prometheus::Registry;

/// Where events are published and how long that may take.
#[derive(Debug, clap::Args)]
pub(crate) struct PublishingOptions {
    /// How long Kafka may take to acknowledge an event before it counts as not acknowledged
    #[arg(long, env = "AUDIT_DEADLINE", default_value = "5s", value_parser = deadline, value_name = "DURATION")]
    pub(crate) deadline: Duration,

    /// How much may wait for its acknowledgement, in MiB
    #[arg(long, env = "AUDIT_QUEUE_MIB", default_value_t = 64, value_parser = clap::value_parser!(u16).range(2..=2048), value_name = "MIB")]
    queue_mib: u16,

    #[command(flatten)]
    pub(crate) kafka: KafkaOptions,
}

impl PublishingOptions {
    /// What may wait for its acknowledgement, in bytes.
    pub(crate) fn queue_bytes(&self) -> usize {
        usize::from(self.queue_mib) * 1024 * 1024
    }

    /// The publisher's own options.
    fn options(&self, source: &str, registry: Option<Registry>) -> PublisherOptions {
        PublisherOptions {
            brokers: self.kafka.brokers.clone(),
            topic: self.kafka.topic.clone(),
            source: source.to_owned(),
            deadline: self.deadline,
            queue_bytes: self.queue_bytes(),
            properties: self.kafka.properties(),
            registry,
        }
    }

    /// What keeps a publisher from starting whatever Kafka says.
    pub(crate) fn check(&self, source: &str) -> Result<(), SetupError> {
        self.options(source, None).check()
    }

    /// Starts the publisher; does not wait for Kafka.
    pub(crate) fn publisher(
        &self,
        source: &str,
        registry: Option<Registry>,
    ) -> Result<AuditPublisher, UsageError> {
        AuditPublisher::new(&self.options(source, registry))
            .map_err(|error| UsageError(format!("cannot start the publisher: {error}")))
    }
}

fn deadline(text: &str) -> Result<Duration, String> {
    let deadline = duration::parse(text).map_err(|error| error.to_string())?;
    let range = Duration::from_millis(100)..=Duration::from_secs(3_600);
    if range.contains(&deadline) {
        Ok(deadline)
    } else {
        Err("must be from 100ms to 1h".to_owned())
    }
}
