//! The contract with Kafka: topic, settings, limits, header names.

use uuid::Uuid;

use crate::digest::Digest;

/// The topic's default name.
pub const TOPIC: &str = "kubernaut.audit.workflow-execution.v1";

/// The CloudEvents type of an audit event.
pub const CE_TYPE: &str = "ai.kubernaut.audit.workflow-execution.v1";

/// The CloudEvents type of what could not be made an audit event and is to be kept as a dead letter.
pub const CE_TYPE_RAW: &str = "ai.kubernaut.audit.workflow-execution.raw.v1";

/// The CloudEvents version of the headers.
pub const CE_SPECVERSION: &str = "1.0";

/// Largest encoded event, its id included, in bytes.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// What topic and clients must allow for a record, in bytes: an event, its key, its headers and the
/// batch around it. librdkafka's own default is below [`MAX_EVENT_BYTES`].
pub const MAX_MESSAGE_BYTES: usize = 2 * 1024 * 1024;

/// librdkafka's name for the partitioner of the Java client, so that every client sends an id to the
/// same partition.
pub const PARTITIONER: &str = "murmur2_random";

/// Header: CloudEvents version.
pub const HEADER_SPECVERSION: &str = "ce_specversion";
/// Header: CloudEvents type, [`CE_TYPE`].
pub const HEADER_TYPE: &str = "ce_type";
/// Header: where the event was made, such as `/clusters/NAME/namespaces/NS`.
pub const HEADER_SOURCE: &str = "ce_source";
/// Header: the event's id.
pub const HEADER_SUBJECT: &str = "ce_subject";
/// Header: see [`ce_id`].
pub const HEADER_ID: &str = "ce_id";
/// Header: RFC 3339 time of the event.
pub const HEADER_TIME: &str = "ce_time";
/// Header: media type of the value.
pub const HEADER_CONTENT_TYPE: &str = "content-type";
/// Header: W3C trace context.
pub const HEADER_TRACEPARENT: &str = "traceparent";

/// The media type of the value, sent in [`HEADER_CONTENT_TYPE`].
pub const CONTENT_TYPE: &str = "application/json";

/// The CloudEvents id: the event's id and the start of its digest, so that a second content for an
/// id is a CloudEvent of its own.
#[must_use]
pub fn ce_id(id: Uuid, digest: &Digest) -> String {
    let [a, b, c, d, e, f, g, h, ..] = digest.0;
    format!("{id}.{:016x}", u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

/// How a topic's setting is compared with the required one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same text.
    Exactly,
    /// A number not below the required one.
    AtLeast,
    /// A number not below the required one, or -1.
    AtLeastOrUnlimited,
}

/// A setting the topic must have: `topic create` sets it, `topic check` compares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicSetting {
    /// Kafka's name of the setting.
    pub name: &'static str,
    /// The value given on creation.
    pub value: &'static str,
    /// What else is good enough.
    pub comparison: Comparison,
}

impl TopicSetting {
    /// What is good enough, in words.
    ///
    /// ```
    /// let [.., min_insync, _] = audit_schema::topic::required_settings(3);
    /// assert_eq!(min_insync.wanted(), "2 or more");
    /// ```
    #[must_use]
    pub fn wanted(&self) -> String {
        match self.comparison {
            Comparison::Exactly => self.value.to_owned(),
            Comparison::AtLeast => format!("{} or more", self.value),
            Comparison::AtLeastOrUnlimited => format!("{} or more, or -1", self.value),
        }
    }

    /// Whether `actual`, as the broker reports it, is good enough.
    ///
    /// ```
    /// let settings = audit_schema::topic::required_settings(3);
    /// let retention = settings.iter().find(|s| s.name == "retention.ms").unwrap();
    /// assert!(retention.is_met_by("-1"));
    /// assert!(!retention.is_met_by("604800000"));
    /// ```
    #[must_use]
    pub fn is_met_by(&self, actual: &str) -> bool {
        let number = |text: &str| text.parse::<i64>().ok();
        let reaches = number(actual) >= number(self.value) && number(actual).is_some();
        match self.comparison {
            Comparison::Exactly => actual == self.value,
            Comparison::AtLeast => reaches,
            Comparison::AtLeastOrUnlimited => reaches || number(actual) == Some(-1),
        }
    }
}

/// The settings of a topic with so many replicas.
#[must_use]
pub fn required_settings(replicas: usize) -> [TopicSetting; 6] {
    use Comparison::{AtLeast, AtLeastOrUnlimited, Exactly};
    let setting = |name, value, comparison| TopicSetting { name, value, comparison };
    // With two replicas a minimum of two would stop publishing whenever one broker is down.
    let min_insync = if replicas >= 3 { "2" } else { "1" };
    [
        setting("cleanup.policy", "delete", Exactly),
        // With CreateTime a record queued through an outage would appear behind a completeness mark
        // that was already reported.
        setting("message.timestamp.type", "LogAppendTime", Exactly),
        setting("max.message.bytes", "2097152", AtLeast),
        // 35 days: a month can be replayed, with some days to notice.
        setting("retention.ms", "3024000000", AtLeastOrUnlimited),
        setting("min.insync.replicas", min_insync, AtLeast),
        setting("unclean.leader.election.enable", "false", Exactly),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn required(name: &str, replicas: usize) -> TopicSetting {
        let settings = required_settings(replicas);
        *settings.iter().find(|setting| setting.name == name).unwrap()
    }

    #[test]
    fn created_topics_pass_the_check() {
        for replicas in 1..=5 {
            for setting in required_settings(replicas) {
                assert!(setting.is_met_by(setting.value), "{setting:?}");
            }
        }
    }

    #[test]
    fn messages_as_large_as_clients_send_are_allowed() {
        assert_eq!(required("max.message.bytes", 3).value, MAX_MESSAGE_BYTES.to_string());
        assert!(required("max.message.bytes", 3).is_met_by("10485760"));
        assert!(!required("max.message.bytes", 3).is_met_by("1048588"));
    }

    #[test]
    fn retention_may_be_longer_or_unlimited() {
        let retention = required("retention.ms", 3);
        assert_eq!(retention.value, (35_i64 * 24 * 60 * 60 * 1000).to_string());
        assert!(retention.is_met_by("-1"));
        assert!(retention.is_met_by("31536000000"));
        assert!(!retention.is_met_by("604800000"));
        assert!(!retention.is_met_by(""));
    }

    #[test]
    fn three_replicas_must_keep_two_in_sync() {
        assert!(!required("min.insync.replicas", 3).is_met_by("1"));
        assert!(required("min.insync.replicas", 2).is_met_by("1"));
        assert!(!required("message.timestamp.type", 1).is_met_by("CreateTime"));
    }

    #[test]
    fn ce_id_is_the_id_and_sixteen_hex_digits() {
        let digest = Digest([0xAB; 32]);
        assert_eq!(
            ce_id(Uuid::nil(), &digest),
            "00000000-0000-0000-0000-000000000000.abababababababab"
        );
    }
}
