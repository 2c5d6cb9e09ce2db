//! Why an event is not known to be kept.

use audit_schema::problem::Rejection;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use uuid::Uuid;

/// Why an event was not acknowledged.
///
/// Only [`Invalid`](Self::Invalid) and [`QueueFull`](Self::QueueFull) are certain not to be on the topic. After any
/// other, the event may have been written and its acknowledgement lost; publishing it again is safe, since it keeps its
/// id and what is stored twice is stored once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The event could not be stored; the rejection names each field.
    #[error("the event is invalid: {0}")]
    Invalid(#[from] Rejection),
    /// The queue has no place for it now.
    #[error("the publisher's queue is full")]
    QueueFull,
    /// No acknowledgement within the publisher's deadline.
    #[error("Kafka did not acknowledge the event in time")]
    Deadline,
    /// Kafka answered that it does not take the event.
    #[error("Kafka refused the event: {0}")]
    Refused(RDKafkaErrorCode),
    /// The Kafka client failed and is being replaced.
    #[error("the Kafka client failed and is replaced: {0}")]
    ClientFailed(String),
    /// The publisher is closed.
    #[error("the publisher is closed")]
    Closed,
}

impl PublishError {
    /// Whether publishing the same event again can succeed without anything about the event being changed.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::QueueFull | Self::Deadline | Self::ClientFailed(_) => true,
            // The rest of what brokers say (no such topic, not authorized, ..) is mended by an operator.
            Self::Refused(code) => !matches!(
                code,
                RDKafkaErrorCode::MessageSizeTooLarge
                    | RDKafkaErrorCode::InvalidMessage
                    | RDKafkaErrorCode::InvalidRecord
            ),
            Self::Invalid(_) | Self::Closed => false,
        }
    }

    /// The error's name in `kubernaut_audit_publish_total{outcome}`.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::QueueFull => "queue_full",
            Self::Deadline => "deadline",
            Self::Refused(_) => "refused",
            Self::ClientFailed(_) => "client_failed",
            Self::Closed => "closed",
        }
    }

    pub(crate) fn from_kafka(code: RDKafkaErrorCode) -> Self {
        match code {
            RDKafkaErrorCode::QueueFull => Self::QueueFull,
            RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::OperationTimedOut => Self::Deadline,
            RDKafkaErrorCode::Fatal
            | RDKafkaErrorCode::PurgeQueue
            | RDKafkaErrorCode::PurgeInflight
            | RDKafkaErrorCode::OutOfOrderSequenceNumber
            | RDKafkaErrorCode::UnknownProducerId
            | RDKafkaErrorCode::InvalidProducerEpoch
            | RDKafkaErrorCode::ProducerFenced => Self::ClientFailed(code.to_string()),
            code => Self::Refused(code),
        }
    }
}

/// Why a publisher could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A librdkafka property would break what a publisher promises.
    #[error("the Kafka property {name} {reason}")]
    Property {
        /// The property's name.
        name: String,
        /// What it may be.
        reason: String,
    },
    /// The source is not a URI reference.
    #[error("the source must be a URI reference, such as /gateway or /clusters/NAME/namespaces/NS")]
    Source,
    /// librdkafka did not accept its configuration.
    #[error("the Kafka client cannot be configured: {0}")]
    Kafka(String),
    /// The registry already has a publisher's metrics.
    #[error("the metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl From<KafkaError> for SetupError {
    /// Without the value of a property, which may be a password: librdkafka repeats it.
    fn from(error: KafkaError) -> Self {
        Self::Kafka(match error {
            KafkaError::ClientConfig(_, reason, _, value) if !reason.contains(&value) => reason,
            KafkaError::ClientConfig(_, _, name, _) => {
                format!("the property {name} has an invalid value")
            }
            KafkaError::ClientCreation(text) => audit_runtime::kafka::explain_setup(&text),
            error => error.to_string(),
        })
    }
}

/// What a publisher could not bring to an end before it was closed.
///
/// These events may or may not have been written; their receipts resolved with an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} events were not acknowledged before the publisher was closed", ids.len())]
pub struct Unacknowledged {
    /// Their ids, in no order.
    pub ids: Vec<Uuid>,
}

#[cfg(test)]
mod tests {
    use audit_schema::problem::Code;

    use super::*;

    #[test]
    fn what_can_be_retried() {
        let refused = PublishError::from_kafka;
        assert!(PublishError::QueueFull.is_retriable());
        assert!(refused(RDKafkaErrorCode::MessageTimedOut).is_retriable());
        assert!(refused(RDKafkaErrorCode::Fatal).is_retriable());
        assert!(refused(RDKafkaErrorCode::UnknownTopicOrPartition).is_retriable());
        assert!(!refused(RDKafkaErrorCode::MessageSizeTooLarge).is_retriable());
        assert!(!PublishError::Closed.is_retriable());
        assert!(!PublishError::from(Rejection::new(Code::InvalidJson, "")).is_retriable());
    }

    #[test]
    fn values_of_properties_are_not_repeated() {
        let error = |name: &str, value: &str| {
            let mut config = rdkafka::ClientConfig::new();
            let made = config.set(name, value).create::<rdkafka::producer::BaseProducer>();
            SetupError::from(made.err().unwrap()).to_string()
        };
        let invalid = error("security.protocol", "hunter2");
        assert!(
            invalid.ends_with("the property security.protocol has an invalid value"),
            "{invalid}"
        );
        let unknown = error("sasl.pasword", "hunter2");
        assert!(unknown.contains("sasl.pasword") && !unknown.contains("hunter2"), "{unknown}");
    }
}
