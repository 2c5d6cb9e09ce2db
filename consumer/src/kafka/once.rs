//! A client that reads parts of the topic once, for whoever only looks at the records.

use audit_runtime::exit::UsageError;
use audit_runtime::kafka::KafkaOptions;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

use super::{reader_config, setup_error};

/// What reads once.
pub type OnceConsumer = BaseConsumer<Quiet>;

/// A client outside any group; `auto_offset_reset` says what becomes of offsets that are gone from the topic.
///
/// # Errors
/// A property that cannot be, or must not be, as it was set.
pub fn once_consumer(
    options: &KafkaOptions,
    name: &str,
    auto_offset_reset: &str,
) -> anyhow::Result<OnceConsumer> {
    let mut config = reader_config(options, name).map_err(UsageError)?;
    config
        .set("auto.offset.reset", auto_offset_reset)
        // The end of a partition may hold no records, so that none is ever received from there.
        .set("enable.partition.eof", "true")
        // A request that waits at the end of one partition holds up those for the next.
        .set("fetch.wait.max.ms", "10")
        .set("statistics.interval.ms", "0")
        .set_log_level(RDKafkaLogLevel::Error);
    config.create_with_context(Quiet).map_err(setup_error)
}

/// Says nothing of what is no trouble.
#[derive(Debug)]
pub struct Quiet;

impl ClientContext for Quiet {
    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::warn!("Kafka: {reason}");
        }
    }
}

impl ConsumerContext for Quiet {}
