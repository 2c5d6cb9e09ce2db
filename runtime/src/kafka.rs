//! The options every command that talks to Kafka has, and what its clients' complaints mean.

mod handshake;
mod trouble;

use std::fmt;
use std::str::FromStr;

pub use trouble::{explain, explain_setup};

/// The repeatable flag that configuration merges by name over all its sources.
pub(crate) const PROPERTY_FLAG: &str = "kafka-property";

/// Where Kafka is and how to reach it.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaOptions {
    /// Brokers to start from, host:port, separated by commas
    #[arg(
        long,
        env = "AUDIT_BROKERS",
        default_value = "localhost:9092",
        value_name = "HOST:PORT,.."
    )]
    pub brokers: String,

    /// Topic of the audit events
    #[arg(long, env = "AUDIT_TOPIC", default_value = "kubernaut.audit.workflow-execution.v1", value_parser = topic_name)]
    pub topic: String,

    /// Any librdkafka property; repeatable. In AUDIT_KAFKA_PROPERTIES (or the file that
    /// AUDIT_KAFKA_PROPERTIES_FILE names): k=v separated by commas or newlines. A property set in
    /// several places is taken from the highest: flag, environment, file, configuration file
    #[arg(long = PROPERTY_FLAG, env = "AUDIT_KAFKA_PROPERTIES", hide_env_values = true, value_name = "K=V")]
    pub property: Vec<Property>,
}

impl KafkaOptions {
    /// The librdkafka properties these options mean: `bootstrap.servers`, then what was asked for, each name once.
    #[must_use]
    pub fn properties(&self) -> Vec<(String, String)> {
        let mut properties = vec![("bootstrap.servers".to_owned(), self.brokers.clone())];
        for Property { name, value } in &self.property {
            match properties.iter_mut().find(|(known, _)| known == name) {
                Some((_, previous)) => previous.clone_from(value),
                None => properties.push((name.clone(), value.clone())),
            }
        }
        properties
    }
}

/// One librdkafka property. Its value may be a password, so `Debug` shows the name only.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    /// As in librdkafka's CONFIGURATION.md.
    pub name: String,
    /// As librdkafka reads it.
    pub value: String,
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=***", self.name)
    }
}

impl FromStr for Property {
    type Err = InvalidProperty;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or(InvalidProperty::Syntax)?;
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        if name.is_empty() {
            return Err(InvalidProperty::Syntax);
        }
        // librdkafka says of a missing file no more than "system lib".
        if FILES.contains(&&*name)
            && value != "probe"
            && let Err(error) = std::fs::File::open(&value)
        {
            return Err(InvalidProperty::File { name, path: value, reason: error.to_string() });
        }
        Ok(Self { name, value })
    }
}

/// Properties whose value is a path; `probe` as `ssl.ca.location` means those of the machine.
const FILES: [&str; 5] = [
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "ssl.crl.location",
];

/// Why a text is not a property. Says nothing of a text that may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProperty {
    /// Not of the form `name=value`.
    #[error("not a property: write name=value, such as security.protocol=SSL")]
    Syntax,
    /// The file that a property names cannot be read.
    #[error("{name}: cannot read {path}: {reason}")]
    File {
        /// The property.
        name: String,
        /// Its value.
        path: String,
        /// What the operating system says.
        reason: String,
    },
}

/// Splits a list of properties at newlines and commas.
///
/// A segment without `=` continues the value before it, because librdkafka has values with commas in them
/// (`sasl.oauthbearer.scope`, cipher lists). Lines that are empty or begin with `#` are left out.
pub(crate) fn split_list(text: &str) -> Vec<String> {
    let mut properties: Vec<String> = Vec::new();
    for line in
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let mut of_this_line = 0;
        for segment in line.split(',') {
            match properties.last_mut() {
                Some(value) if of_this_line > 0 && !segment.contains('=') => {
                    value.push(',');
                    value.push_str(segment);
                }
                _ => {
                    properties.push(segment.trim_start().to_owned());
                    of_this_line += 1;
                }
            }
        }
    }
    properties.retain(|property| !property.is_empty());
    properties
}

fn topic_name(text: &str) -> Result<String, &'static str> {
    // Kafka's own rule (org.apache.kafka.common.internals.Topic).
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=249).contains(&text.len()) && text.chars().all(legal) && text != "." && text != ".." {
        Ok(text.to_owned())
    } else {
        Err("not a topic name: 1 to 249 characters of a-z, A-Z, 0-9, '.', '_' and '-'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(properties: &[&str]) -> KafkaOptions {
        KafkaOptions {
            brokers: "a:1,b:2".into(),
            topic: "t".into(),
            property: properties.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn the_last_of_a_name_wins() {
        let properties = options(&["x=1", "y=2", "x=3=4", "bootstrap.servers=c:3"]).properties();
        let expected = [("bootstrap.servers", "c:3"), ("x", "3=4"), ("y", "2")];
        assert_eq!(properties, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn lists_split_at_commas_and_newlines() {
        assert_eq!(split_list("a=1,b=2\nc=3"), ["a=1", "b=2", "c=3"]);
        assert_eq!(
            split_list("ssl.cipher.suites=A,B,C, d=4,"),
            ["ssl.cipher.suites=A,B,C", "d=4,"]
        );
        assert_eq!(split_list("# comment\n\n  a=1\n"), ["a=1"]);
        assert!(split_list(" \n").is_empty());
    }

    #[test]
    fn a_segment_that_continues_nothing_is_left_for_the_parser_to_refuse() {
        assert_eq!(split_list("nonsense"), ["nonsense"]);
        assert_eq!("nonsense".parse::<Property>(), Err(InvalidProperty::Syntax));
        assert_eq!("=x".parse::<Property>(), Err(InvalidProperty::Syntax));
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let error = "ssl.key.location=/no/such".parse::<Property>().unwrap_err().to_string();
        assert!(error.starts_with("ssl.key.location: cannot read /no/such: "), "{error}");
        assert!("ssl.ca.location=probe".parse::<Property>().is_ok());
    }

    #[test]
    fn debug_hides_values() {
        let shown = format!("{:?}", options(&["sasl.password=s3cret"]));
        assert!(shown.contains("sasl.password") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn topic_names_follow_kafka() {
        assert!(topic_name("kubernaut.audit.workflow-execution.v1").is_ok());
        for bad in ["", ".", "..", "a b", "ä", &"x".repeat(250)] {
            assert!(topic_name(bad).is_err(), "{bad}");
        }
    }
}
