//! Why a Kafka client does not get to its brokers, in words that name the property to mend.
//!
//! librdkafka's calls only ever say that transport failed or time is over. What really happened comes in its error
//! callback, in words about OpenSSL and protocol states; this turns them into those of an operator.

use std::path::Path;

use super::handshake::{Seen, look};
use crate::certificate;

const BROKERS: &str = "check --brokers (AUDIT_BROKERS)";
const PROTOCOL: &str = "--kafka-property security.protocol";

/// Why there is no broker, and what to mend, from the client's last complaint (`None`: it had none).
///
/// Blocks for some seconds: where librdkafka does not tell, it looks at the broker's TLS itself.
#[must_use]
pub fn explain(properties: &[(String, String)], complaint: Option<&str>) -> String {
    let complaint = complaint.map(Complaint::parse);
    let client = Client { properties, address: complaint.as_ref().and_then(|said| said.address) };
    let text = complaint.map_or("", |said| said.text);
    let has = |part: &str| text.contains(part);
    let shut = ["Disconnected:", "Broken pipe", "Connection reset"].iter().any(|how| has(how));
    if text.is_empty() || shut {
        client.silence()
    } else if has("certificate verify failed") {
        client.certificate_refused()
    } else if has("SSL alert number") || has("unexpected message") {
        client.own_certificate_refused().to_owned()
    } else if has("Unsupported SASL mechanism") {
        let (_, offered) = text.split_once("supported mechanisms:").unwrap_or_default();
        let offered = offered.trim();
        format!(
            "it does not know this SASL mechanism; set --kafka-property sasl.mechanisms to one of {offered}"
        )
    } else if has("not valid in current SASL state") {
        let right = if client.speaks_tls() { "SSL" } else { "PLAINTEXT" };
        format!("its listener does not take SASL; set {PROTOCOL} to {right}")
    } else if has("SASL authentication error") {
        format!(
            "it does not accept the credentials ({text}); check --kafka-property sasl.username, sasl.password \
             and sasl.mechanisms"
        )
    } else {
        format!("{text}; {BROKERS}")
    }
}

/// Who complained, and of which broker.
struct Client<'a> {
    properties: &'a [(String, String)],
    address: Option<&'a str>,
}

impl Client<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn protocol(&self) -> String {
        self.value("security.protocol").unwrap_or("PLAINTEXT").to_ascii_uppercase()
    }

    fn speaks_tls(&self) -> bool {
        self.protocol().ends_with("SSL")
    }

    /// What the broker's TLS is like; of the first broker, unless the complaint named one.
    fn look(&self) -> Option<Seen> {
        let first = || {
            let broker = self.value("bootstrap.servers")?.split(',').next()?;
            broker.rsplit('/').next()
        };
        look(self.address.or_else(first)?, self.value("ssl.ca.location").map(Path::new))
    }

    /// No answer, or the door shut: what a listener does that is spoken to in another protocol than its own.
    fn silence(&self) -> String {
        let speaks_sasl = self.protocol().starts_with("SASL");
        match (self.look(), self.speaks_tls()) {
            (Some(Seen::Good | Seen::Bad(_)), false) => {
                let right = if speaks_sasl { "SASL_SSL" } else { "SSL (or SASL_SSL)" };
                format!("its listener speaks TLS; set {PROTOCOL} to {right}")
            }
            (Some(Seen::NotTls), true) => {
                let right = if speaks_sasl { "SASL_PLAINTEXT" } else { "PLAINTEXT" };
                format!(
                    "its listener does not speak TLS; name its TLS port with --brokers, or set {PROTOCOL} to {right}"
                )
            }
            // The broker's alert about our certificate can be lost with the connection.
            (Some(Seen::Good), true) if !speaks_sasl => format!(
                "TLS works, but no request is answered: it may want SASL (set {PROTOCOL} to SASL_SSL), or {}",
                self.own_certificate_refused()
            ),
            _ => format!("no answer; {BROKERS} and {PROTOCOL}"),
        }
    }

    /// We refuse the broker's certificate.
    fn certificate_refused(&self) -> String {
        const AUTHORITIES: &str = "--kafka-property ssl.ca.location";
        match self.look() {
            Some(Seen::Bad(problem)) => certificate::problem(&problem, AUTHORITIES),
            _ => format!("its certificate is not accepted; check {AUTHORITIES}"),
        }
    }

    /// The broker refuses ours, or that there is none; the alert is the same.
    fn own_certificate_refused(&self) -> &'static str {
        let key = self.value("ssl.key.location").or(self.value("ssl.key.pem"));
        match (self.value("ssl.certificate.location"), key) {
            (Some(_), Some(_)) => {
                "it does not accept the certificate of --kafka-property ssl.certificate.location: expired, or of an \
                 authority it does not know"
            }
            (Some(_), None) => {
                "--kafka-property ssl.certificate.location goes together with ssl.key.location"
            }
            _ => {
                "it may want a client certificate; set --kafka-property ssl.certificate.location and ssl.key.location"
            }
        }
    }
}

/// `ssl://HOST:PORT/bootstrap: TEXT (after 4ms in state .., 1 identical error(s) suppressed)`
struct Complaint<'a> {
    address: Option<&'a str>,
    text: &'a str,
}

impl<'a> Complaint<'a> {
    fn parse(complaint: &'a str) -> Self {
        let text = complaint.rfind(" (after ").map_or(complaint, |end| &complaint[..end]);
        let Some((place, rest)) = text.split_once(": ").filter(|(place, _)| place.contains("://"))
        else {
            return Self { address: None, text };
        };
        let address = place.split_once("://").map(|(_, address)| address);
        let address = address.and_then(|address| address.split('/').next());
        Self { address, text: rest }
    }
}

/// Why a Kafka client could not be made, from librdkafka's text, which for a file names its property and then OpenSSL's
/// code.
#[must_use]
pub fn explain_setup(text: &str) -> String {
    if text.contains("No provider for SASL mechanism GSSAPI") {
        return "sasl.mechanisms must be set to PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; \
                GSSAPI is not built in"
            .to_owned();
    }
    let Some((property, cause)) = text.split_once(" failed: ") else { return text.to_owned() };
    if cause.contains("key values mismatch") {
        return format!("{property} is not the key of ssl.certificate.location");
    }
    if cause.contains("no certificate") || cause.contains("no start line") {
        return format!("{property} names a file that holds nothing of the kind in PEM");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(properties: &[(&str, &str)], complaint: &str) -> String {
        let owned = |&(k, v): &(&str, &str)| (k.to_owned(), v.to_owned());
        let properties: Vec<_> = properties.iter().map(owned).collect();
        explain(&properties, Some(complaint))
    }

    #[test]
    fn place_and_state_are_cut_off() {
        let complaint = Complaint::parse(
            "sasl_ssl://kafka:9093/bootstrap: SASL authentication error: no (after 309ms in state AUTH_REQ)",
        );
        assert_eq!(complaint.address, Some("kafka:9093"));
        assert_eq!(complaint.text, "SASL authentication error: no");
    }

    #[test]
    fn a_certificate_that_is_refused_is_told_from_one_that_is_missing() {
        let alert = "ssl://k:1/bootstrap: Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert number 42";
        let text = explained(&[], alert);
        assert!(text.contains("may want a client certificate"), "{text}");
        let both = [("ssl.certificate.location", "c"), ("ssl.key.location", "k")];
        assert!(explained(&both, alert).contains("does not accept the certificate"));
        assert!(explained(&both[..1], alert).contains("goes together with ssl.key.location"));
    }

    #[test]
    fn what_is_not_known_is_repeated() {
        let text = explained(&[], "k:1/bootstrap: Failed to resolve 'k:1'");
        assert!(text.contains("Failed to resolve") && text.contains("--brokers"), "{text}");
    }

    #[test]
    fn files_that_cannot_be_used_are_named_by_their_property() {
        let text = "ssl.key.location failed: error:05800074:x509 certificate routines::key values mismatch";
        assert_eq!(
            explain_setup(text),
            "ssl.key.location is not the key of ssl.certificate.location"
        );
        assert_eq!(explain_setup("sasl.username must be set"), "sasl.username must be set");
    }
}
