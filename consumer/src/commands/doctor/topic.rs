//! The topic: there, as it must be, and on as many brokers as it should be.

use audit_schema::topic::required_settings;
use rdkafka::metadata::{Metadata, MetadataPartition};

use super::finding::Finding;
use crate::kafka::Probe;

pub(super) async fn check(probe: &Probe, metadata: &Metadata, topic: &str) -> Vec<Finding> {
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let Some(found) = found.filter(|found| !found.partitions().is_empty()) else {
        let advice = "create it with `audit-producer topic create`, or correct --topic";
        return vec![Finding::bad("topic", format!("Kafka does not know {topic}"), advice)];
    };
    let partitions = found.partitions();
    let replicas = partitions.iter().map(|one| one.replicas().len()).min().unwrap_or_default();
    let mut findings =
        vec![Finding::good("topic", format!("{topic} has {} partitions", partitions.len()))];
    findings.push(copies(partitions, replicas, metadata.brokers().len()));
    findings.extend(settings(probe, topic, replicas).await);
    findings
}

/// Whether each partition is on as many brokers as it should be, and all of them keep up.
fn copies(partitions: &[MetadataPartition], replicas: usize, brokers: usize) -> Finding {
    let check = "topic replicas";
    let which = |is: fn(&MetadataPartition) -> bool| {
        let ids = partitions.iter().filter(|one| is(one)).map(|one| one.id().to_string());
        Some(ids.collect::<Vec<_>>().join(", ")).filter(|ids| !ids.is_empty())
    };
    if let Some(ids) = which(|one| one.leader() < 0) {
        return Finding::bad(
            check,
            format!("no broker leads partition {ids}"),
            "start the brokers that have it",
        );
    }
    if let Some(ids) = which(|one| one.isr().len() < one.replicas().len()) {
        return Finding::warning(
            check,
            format!("not all replicas of partition {ids} are in sync"),
            "start the brokers that are down, or wait until they have caught up",
        );
    }
    // Three replicas outlive one broker and still have two; more brokers than replicas are as good.
    let wanted = brokers.min(3);
    if replicas < wanted {
        return Finding::warning(
            check,
            format!("{replicas}, where {brokers} brokers could keep {wanted}"),
            "raise the replication factor (kafka-reassign-partitions.sh)",
        );
    }
    Finding::good(check, format!("{replicas}, all in sync"))
}

async fn settings(probe: &Probe, topic: &str, replicas: usize) -> Vec<Finding> {
    let settings = match probe.settings().await {
        Ok(settings) => settings,
        Err(error) => {
            let found = format!("the brokers do not tell them: {error}");
            let advice = "allow this user to describe the topic's configuration";
            return vec![Finding::warning("topic settings", found, advice)];
        }
    };
    let line = |wanted: audit_schema::topic::TopicSetting| {
        let check = format!("topic {}", wanted.name);
        let actual = settings.get(wanted.name).and_then(|entry| entry.value.clone());
        let actual = actual.unwrap_or_default();
        if wanted.is_met_by(&actual) {
            return Finding::good(check, actual);
        }
        let (name, value) = (wanted.name, wanted.value);
        let advice = format!(
            "it must be {}: kafka-configs.sh --alter --topic {topic} --add-config {name}={value}",
            wanted.wanted()
        );
        Finding::bad(check, actual, advice)
    };
    required_settings(replicas).into_iter().map(line).collect()
}
