//! The brokers, and the consumer group.

use rdkafka::metadata::Metadata;

use super::finding::Finding;
use crate::kafka::Probe;

pub(super) fn unreachable(brokers: &str, error: &anyhow::Error) -> Finding {
    Finding::bad(
        "brokers",
        format!("no answer from {brokers}: {error:#}"),
        "start Kafka, or correct --brokers and, for TLS and SASL, --kafka-property",
    )
}

pub(super) fn reachable(metadata: &Metadata) -> Finding {
    let brokers = metadata.brokers().len();
    let first = metadata.orig_broker_name();
    Finding::good("brokers", format!("{brokers}, first asked: {first}"))
}

/// Eager members give all their partitions up at every change; one of them makes the whole group do so.
pub(super) async fn group(probe: &Probe, group: &str) -> Finding {
    match probe.group(group).await {
        Ok(Some((protocol, members)))
            if !protocol.is_empty() && protocol != "cooperative-sticky" =>
        {
            Finding::bad(
                "group",
                format!("{group} has {members} members that share partitions out by {protocol}"),
                "stop the members that are not audit-consumer, or give this stream another --group",
            )
        }
        Ok(Some((_, members))) if members > 0 => {
            Finding::good("group", format!("{group} has {members} members"))
        }
        // Groups of the new protocol (KIP-848) do not show here.
        Ok(_) => Finding::good(
            "group",
            format!("{group} has no member, or uses group.protocol=consumer"),
        ),
        Err(error) => Finding::warning(
            "group",
            format!("the brokers do not tell about {group}: {error}"),
            "allow this user to describe the group",
        ),
    }
}
