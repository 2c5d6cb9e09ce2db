//! Events spread evenly over the partitions, and every client sends an id to the same one.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, Result};
use audit_producer::{AuditPublisher, Identity, Publish, PublisherOptions, Record};
use audit_tests::{
    generator::{Generator, IdKind},
    kafka::partition_of,
    shared,
};
use chrono::{DateTime, Utc};
use fastrand::Rng;
use futures_util::future::try_join_all;
use serde_json::Value;
use uuid::{Builder, Uuid};

const SEED: u64 = 0x0A0D_0310;
const PARTITIONS: [i32; 3] = [12, 24, 100];
/// Keys of each kind: 48 for each of 100 partitions.
const KEYS: usize = 4_800;
const SOURCE: &str = "/clusters/test/namespaces/default";

/// Every way an event comes by its id, as the publisher makes it its key.
#[test]
fn every_kind_of_id_is_an_even_key() -> Result<()> {
    for (kind, keys) in kinds_of_keys()? {
        for partitions in PARTITIONS {
            let counts = counts(keys.iter().map(|key| partition_of(key.as_bytes(), partitions)));
            let uneven = unevenness(&counts, partitions);
            assert!(uneven < 1.0, "{kind}, {partitions} partitions: {uneven:.2}, {counts:?}");
        }
    }
    Ok(())
}

/// What would come of another key, and the proof that unevenness shows.
#[test]
fn the_workflows_name_would_be_an_uneven_key() -> Result<()> {
    let mut generator = Generator::new(SEED, Utc::now());
    let names = (0..KEYS)
        .map(|_| {
            let event: Value = serde_json::from_slice(&generator.event(IdKind::Dated).value())?;
            Ok(event["workflow_name"].as_str().context("no name")?.to_owned())
        })
        .collect::<Result<Vec<_>>>()?;
    for partitions in PARTITIONS {
        let counts = counts(names.iter().map(|name| partition_of(name.as_bytes(), partitions)));
        let uneven = unevenness(&counts, partitions);
        assert!(uneven > 10.0, "{partitions} partitions: {uneven:.2}, {counts:?}");
    }
    Ok(())
}

/// What the brokers have is where the formula says: by our publisher (librdkafka) and by the Java client.
#[tokio::test]
async fn librdkafka_and_java_choose_the_same_partition() -> Result<()> {
    let kafka = shared::kafka().await?;
    for partitions in PARTITIONS {
        let topic = shared::unique("spread");
        kafka.create_audit_topic(&topic, partitions).await?;
        let publisher = AuditPublisher::new(&PublisherOptions {
            brokers: kafka.bootstrap().to_owned(),
            topic: topic.clone(),
            deadline: Duration::from_secs(120),
            ..PublisherOptions::default()
        })?;
        let mut receipts = Vec::new();
        for event in Generator::new(SEED, Utc::now()).events(2_400) {
            let record = Record::from_json(&event.value(), Identity::Content, SOURCE)?;
            receipts.push(Publish::publish(&publisher, record).await?);
        }
        let acknowledged = try_join_all(receipts).await?;
        let keys: Vec<String> = acknowledged.iter().map(|event| event.id.to_string()).collect();
        let ours: HashMap<&str, i32> = keys
            .iter()
            .map(|key| (key.as_str(), partition_of(key.as_bytes(), partitions)))
            .collect();
        let spread = counts(acknowledged.iter().map(|event| event.partition));
        let uneven = unevenness(&spread, partitions);
        assert!(uneven < 1.0, "{partitions} partitions: {uneven:.2}, {spread:?}");

        kafka.publish_by_java(&topic, &keys).await?;
        let records = kafka.read_all(&topic).await?;
        assert_eq!(records.len(), 2 * keys.len(), "each key once by each client");
        for record in records {
            let key = String::from_utf8(record.key.context("a record without a key")?)?;
            assert_eq!(ours.get(key.as_str()), Some(&record.at.partition), "{key}");
        }
    }
    Ok(())
}

/// Keys as [`AuditPublisher`] makes them of records, by how the id came about.
fn kinds_of_keys() -> Result<Vec<(&'static str, Vec<String>)>> {
    let mut random = Rng::with_seed(SEED);
    let mut generator =
        Generator::new(SEED, DateTime::from_timestamp_secs(1_750_000_000).context("a time")?);
    let keys = |make: &mut dyn FnMut(u64) -> Result<Record>| {
        (0..).take(KEYS).map(|n| Ok(make(n)?.id().to_string())).collect::<Result<Vec<_>>>()
    };
    let with_id = |id: Uuid| event(&id.to_string(), "2025-01-15T10:30:00Z");
    let mut bytes = || random.u128(..).to_be_bytes();
    Ok(vec![
        ("of a resource", keys(&mut |_| json(&generator.event(IdKind::Dated).value()))?),
        ("of the content", keys(&mut |n| json(event("", &time(n)).as_bytes()))?),
        (
            "of an Idempotency-Key",
            keys(&mut |n| {
                let key = format!("order-{n}");
                Ok(Record::from_json(event("", &time(n)).as_bytes(), Identity::Key(&key), SOURCE)?)
            })?,
        ),
        (
            "of an Idempotency-Key, without a time",
            keys(&mut |n| {
                let (key, event) = (n.to_string(), event("", "0001-01-01T00:00:00Z"));
                Ok(Record::from_json(event.as_bytes(), Identity::Key(&key), SOURCE)?)
            })?,
        ),
        (
            "version 4",
            keys(&mut |_| {
                json(with_id(Builder::from_random_bytes(bytes()).into_uuid()).as_bytes())
            })?,
        ),
        (
            "version 5",
            keys(&mut |_| json(with_id(Builder::from_sha1_bytes(bytes()).into_uuid()).as_bytes()))?,
        ),
        (
            "version 7, one a millisecond",
            keys(&mut |n| {
                let random = bytes()[..10].try_into()?;
                let id = Builder::from_unix_timestamp_millis(1_736_937_000_000 + n, &random);
                json(with_id(id.into_uuid()).as_bytes())
            })?,
        ),
    ])
}

fn json(event: &[u8]) -> Result<Record> {
    Ok(Record::from_json(event, Identity::Content, SOURCE)?)
}

fn event(id: &str, completed_at: &str) -> String {
    format!(
        r#"{{"id":"{id}","remediation_id":"rr-1","workflow_name":"restart-pod","workflow_version":"v1","outcome":"success","completed_at":"{completed_at}"}}"#
    )
}

/// One a second.
fn time(n: u64) -> String {
    format!("2025-01-15T{:02}:{:02}:{:02}Z", n / 3600 % 24, n / 60 % 60, n % 60)
}

fn counts(partitions: impl Iterator<Item = i32>) -> HashMap<i32, u32> {
    partitions.fold(HashMap::new(), |mut counts, partition| {
        *counts.entry(partition).or_default() += 1;
        counts
    })
}

/// Pearson's chi-square against equal parts, as a share of what chance alone stays below in 999 of 1,000 cases or
/// more: its mean is `partitions - 1`, its variance twice that, and four standard deviations are added.
fn unevenness(counts: &HashMap<i32, u32>, partitions: i32) -> f64 {
    let expected = f64::from(counts.values().sum::<u32>()) / f64::from(partitions);
    let chi_square: f64 = (0..partitions)
        .map(|partition| {
            let count = counts.get(&partition).copied().unwrap_or_default();
            (f64::from(count) - expected).powi(2) / expected
        })
        .sum();
    let freedom = f64::from(partitions - 1);
    chi_square / (freedom + 4.0 * (2.0 * freedom).sqrt())
}
