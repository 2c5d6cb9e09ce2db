//! The consumer's way to Kafka: the group's client, and one beside it that only asks questions.

mod once;
mod probe;

use std::collections::BTreeMap;

use audit_runtime::exit::UsageError;
use audit_runtime::kafka::{KafkaOptions, explain_setup};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

pub use self::once::{OnceConsumer, once_consumer};
pub use self::probe::{Probe, Watermarks};

/// Settings that this consumer's promises rest on, so that nobody may set them otherwise.
const FIXED: [(&str, &str); 5] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // The database decides where to start; an offset that is gone is a halt, never a jump.
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
    ("enable.partition.eof", "false"),
];

/// The group's client configuration, from the options and what the source needs.
///
/// # Errors
/// A property that the promises rest on was set otherwise, or an eager assignor was asked for.
pub fn group_config(options: &KafkaOptions, group: &str) -> Result<ClientConfig, String> {
    let given: BTreeMap<String, String> = options.properties().into_iter().collect();
    for (name, value) in FIXED {
        if given.get(name).is_some_and(|given| given != value) {
            return Err(format!("--kafka-property {name} cannot be changed: it must be {value}"));
        }
    }
    let mut config = ClientConfig::new();
    config
        .set("group.id", group)
        .set("client.id", "kubernaut-audit-consumer")
        // Tail gaps are found from these; see `source::tail`.
        .set("statistics.interval.ms", "1000")
        // Bounds each answer of a broker as well (fetch.max.bytes), which is as many bytes compressed.
        .set("queued.max.messages.kbytes", "8192")
        // Small enough that an answer has something of many partitions: one or two alone would spend the budget on one
        // lane while the others wait.
        .set("max.partition.fetch.bytes", "262144")
        // New partitions of the topic are noticed within this time.
        .set("topic.metadata.refresh.interval.ms", "30000")
        // Else a drained queue waits a second before it is filled again.
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.wait.max.ms", "100")
        .set("message.max.bytes", audit_schema::topic::MAX_MESSAGE_BYTES.to_string());
    if given.get("group.protocol").map(String::as_str) != Some("consumer") {
        // A member learns of a rebalance from the answer to a heartbeat, and it takes two rebalances until a partition
        // that another member has to give up first is claimed.
        config.set("heartbeat.interval.ms", "1000");
        match given.get("partition.assignment.strategy").map(String::as_str) {
            None | Some("cooperative-sticky") => {
                config.set("partition.assignment.strategy", "cooperative-sticky")
            }
            Some(other) => {
                return Err(format!(
                    "--kafka-property partition.assignment.strategy={other}: only cooperative-sticky (or \
                     group.protocol=consumer) lets partitions move one by one"
                ));
            }
        };
    }
    for (name, value) in
        given.into_iter().chain(FIXED.map(|(name, value)| (name.to_owned(), value.to_owned())))
    {
        config.set(name, value);
    }
    // A topic that is replaced under a reader, and brokers without the protocol, show nowhere else; see
    // `source::context`.
    let new_protocol = config.get("group.protocol") == Some("consumer");
    let needed = if new_protocol { "metadata,cgrp" } else { "metadata" };
    let debug =
        config.get("debug").map_or_else(|| needed.to_owned(), |given| format!("{given},{needed}"));
    config.set("debug", debug).set_log_level(RDKafkaLogLevel::Debug);
    Ok(config)
}

/// The configuration of a client that reads partitions of its own choice. It has a name where others have a group, since
/// librdkafka asks for one, but joins none, so that a group's properties mean nothing to it.
///
/// # Errors
/// As for [`group_config`].
pub fn reader_config(options: &KafkaOptions, name: &str) -> Result<ClientConfig, String> {
    let mut options = options.clone();
    options.property.retain(|property| !of_group(&property.name));
    group_config(&options, name)
}

/// Whether a property belongs to a group's members.
fn of_group(property: &str) -> bool {
    property.starts_with("group.")
}

/// Why a client cannot be set up. librdkafka's own words for a bad property quote its value, which may be a password.
pub fn setup_error(error: KafkaError) -> anyhow::Error {
    match error {
        KafkaError::ClientConfig(_, _, name, _) => UsageError(format!(
            "--kafka-property {name}: librdkafka does not know it or cannot take its value"
        ))
        .into(),
        KafkaError::ClientCreation(text) => {
            let why = explain_setup(&text);
            UsageError(format!("the Kafka client cannot be set up (--kafka-property): {why}"))
                .into()
        }
        other => anyhow::Error::new(other).context("the Kafka client cannot be set up"),
    }
}
