//! What a publisher can be told, and what it does not let itself be told.

use std::time::Duration;

use audit_schema::topic;
use prometheus::Registry;
use rdkafka::ClientConfig;

use crate::error::SetupError;

/// librdkafka looks for messages that are out of time once a second.
const TIMEOUT_SCAN: Duration = Duration::from_millis(1_100);

/// How a publisher works; [`Default`] is what a service wants, with a broker on localhost.
#[derive(Debug, Clone)]
pub struct PublisherOptions {
    /// Brokers to start from: `host:port`, separated by commas.
    pub brokers: String,
    /// The topic events go to.
    pub topic: String,
    /// Where events come from, as CloudEvents `source`: a URI reference such as `/clusters/NAME/namespaces/NS`.
    pub source: String,
    /// How long a record may take from its place in the queue to its acknowledgement: 100 ms to a day.
    ///
    /// librdkafka gives a record up (`message.timeout.ms`) early enough for that to be known when the deadline strikes:
    /// a record refused to its publisher is not written afterwards. Below 2 s this is a best effort.
    pub deadline: Duration,
    /// How much may wait for its acknowledgement, in bytes of values and headers; at least 2 MiB. Every record counts
    /// for 1 KiB or more.
    pub queue_bytes: usize,
    /// librdkafka properties, such as those of TLS and SASL. They win over what this crate would choose, except where
    /// that would break a promise: see [`SetupError::Property`].
    pub properties: Vec<(String, String)>,
    /// Where to register the publisher's metrics.
    pub registry: Option<Registry>,
}

impl Default for PublisherOptions {
    fn default() -> Self {
        Self {
            brokers: "localhost:9092".to_owned(),
            topic: topic::TOPIC.to_owned(),
            source: "/library".to_owned(),
            deadline: Duration::from_secs(5),
            queue_bytes: 64 * 1024 * 1024,
            properties: Vec::new(),
            registry: None,
        }
    }
}

impl PublisherOptions {
    /// Whether a publisher could be made of these options, as far as can be told without making one.
    ///
    /// # Errors
    /// What [`AuditPublisher::new`](crate::AuditPublisher::new) would refuse.
    pub fn check(&self) -> Result<(), SetupError> {
        self.check_source()?;
        self.client_config()?.create_native_config()?;
        Ok(())
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.deadline.clamp(Duration::from_millis(100), Duration::from_secs(86_400))
    }

    /// Places in the queue, each of 1 KiB.
    pub(crate) fn places(&self) -> u32 {
        u32::try_from(self.queue_bytes.max(topic::MAX_MESSAGE_BYTES) / 1024)
            .unwrap_or(u32::MAX)
            .min(1 << 21)
    }

    pub(crate) fn check_source(&self) -> Result<(), SetupError> {
        if is_uri_reference(&self.source) { Ok(()) } else { Err(SetupError::Source) }
    }

    /// The configuration of the Kafka client that these options mean, for whoever compares another client with it.
    ///
    /// # Errors
    /// [`SetupError::Property`].
    pub fn client_config(&self) -> Result<ClientConfig, SetupError> {
        let timeout = self.message_timeout();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "audit-producer")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("partitioner", topic::PARTITIONER)
            .set("compression.type", "lz4")
            // Whoever waits for an acknowledgement waits for this as well. Under load, records gather in batches while
            // earlier requests are under way.
            .set("linger.ms", "1")
            .set("message.max.bytes", topic::MAX_MESSAGE_BYTES.to_string())
            .set("message.timeout.ms", timeout.as_millis().to_string())
            // Ours is the queue that is full first: librdkafka counts a record until its whole batch of delivery reports
            // is done with, when the places of all of them may be taken again.
            .set("queue.buffering.max.messages", (2 * u64::from(self.places())).to_string())
            .set("queue.buffering.max.kbytes", (2 * u64::from(self.places())).to_string())
            // A topic that is not there is to be called that before the record is out of time.
            .set("topic.metadata.propagation.max.ms", (timeout / 2).as_millis().to_string())
            // A topic that was missing or forbidden is refused at once until the next look at it.
            .set("topic.metadata.refresh.interval.ms", "10000")
            // After an outage, records are taken again within a second rather than ten.
            .set("reconnect.backoff.max.ms", "1000")
            .set("log.connection.close", "false")
            // They tell that a broker is back without an event to try it with.
            .set("statistics.interval.ms", "2000");
        for (name, value) in &self.properties {
            if let Some(reason) = promise_broken(name, value, timeout) {
                return Err(SetupError::Property { name: name.clone(), reason });
            }
            config.set(name, value);
        }
        Ok(config)
    }

    fn message_timeout(&self) -> Duration {
        let deadline = self.deadline();
        deadline.saturating_sub(TIMEOUT_SCAN).max(deadline / 2)
    }
}

/// What the property has to be instead, for those that promises rest on.
fn promise_broken(name: &str, value: &str, timeout: Duration) -> Option<String> {
    let at_least = |least: usize| value.parse().is_ok_and(|number: usize| number >= least);
    let (kept, reason) = match name {
        "acks" | "request.required.acks" => {
            (matches!(value, "all" | "-1"), "must be all".to_owned())
        }
        "enable.idempotence" => (value == "true", "must be true".to_owned()),
        "partitioner" => (value == topic::PARTITIONER, format!("must be {}", topic::PARTITIONER)),
        "message.max.bytes" => (
            at_least(topic::MAX_MESSAGE_BYTES),
            format!("must be {} or more", topic::MAX_MESSAGE_BYTES),
        ),
        "message.timeout.ms" | "delivery.timeout.ms" => (
            value.parse().is_ok_and(|ms: u64| ms > 0 && Duration::from_millis(ms) <= timeout),
            format!(
                "must be from 1 to {}, below the deadline: set the deadline instead",
                timeout.as_millis()
            ),
        ),
        "queue.buffering.max.messages" | "queue.buffering.max.kbytes" => {
            (false, "follows from the size of the queue: set that instead".to_owned())
        }
        "transactional.id" => {
            (false, "must not be set: events are published one by one".to_owned())
        }
        "enable.gapless.guarantee" => {
            (value == "false", "must be false: one late record would end the client".to_owned())
        }
        _ => (true, String::new()),
    };
    (!kept).then_some(reason)
}

/// RFC 3986, as far as characters go; CloudEvents wants it non-empty.
fn is_uri_reference(text: &str) -> bool {
    let bytes = text.as_bytes();
    let legal = |(at, byte): (usize, &u8)| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        _ => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(byte),
    };
    !text.is_empty() && text.len() <= 2_048 && bytes.iter().enumerate().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<ClientConfig, SetupError> {
        let properties = vec![(name.to_owned(), value.to_owned())];
        PublisherOptions { properties, ..PublisherOptions::default() }.client_config()
    }

    #[test]
    fn a_record_is_given_up_before_the_deadline() {
        for (deadline, expected) in [(5_000, "3900"), (2_500, "1400"), (1_000, "500"), (1, "50")] {
            let deadline = Duration::from_millis(deadline);
            let config = PublisherOptions { deadline, ..PublisherOptions::default() }
                .client_config()
                .unwrap();
            assert_eq!(config.get("message.timeout.ms"), Some(expected), "{deadline:?}");
        }
    }

    #[test]
    fn properties_win_where_no_promise_rests_on_them() {
        assert_eq!(with("linger.ms", "50").unwrap().get("linger.ms"), Some("50"));
        assert_eq!(with("acks", "-1").unwrap().get("acks"), Some("-1"));
        assert_eq!(
            with("message.timeout.ms", "1000").unwrap().get("message.timeout.ms"),
            Some("1000")
        );
        for (name, value) in [
            ("acks", "1"),
            ("enable.idempotence", "false"),
            ("partitioner", "consistent"),
            ("message.max.bytes", "1000000"),
            ("delivery.timeout.ms", "300000"),
            ("message.timeout.ms", "0"),
            ("queue.buffering.max.kbytes", "1"),
            ("transactional.id", "x"),
        ] {
            let error = with(name, value).unwrap_err().to_string();
            assert!(error.starts_with(&format!("the Kafka property {name} ")), "{error}");
        }
    }

    #[test]
    fn sources_are_uri_references() {
        for valid in
            ["/gateway", "/clusters/a/namespaces/b", "https://example.org/x?y=%20", "urn:x:y"]
        {
            assert!(is_uri_reference(valid), "{valid}");
        }
        for invalid in ["", "a b", "/ä", "/%2", "/x\n", "/<>"] {
            assert!(!is_uri_reference(invalid), "{invalid}");
        }
    }
}
