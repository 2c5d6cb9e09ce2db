//! The publisher against librdkafka's mock cluster: what a real one rarely does on request.

#![expect(clippy::unwrap_used, reason = "a failing helper is a failing test")]

use std::time::{Duration, Instant};

use audit_producer::{AuditPublisher, PublishError, PublisherOptions};
use audit_schema::event::{Outcome, WorkflowExecutionAudit};
use audit_schema::topic::TOPIC;
use prometheus::Registry;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 3, 1).unwrap();
    cluster
}

fn options(cluster: &Cluster) -> PublisherOptions {
    PublisherOptions {
        brokers: cluster.bootstrap_servers(),
        source: "/test".to_owned(),
        deadline: Duration::from_millis(2_500),
        ..PublisherOptions::default()
    }
}

fn event(name: &str) -> WorkflowExecutionAudit {
    WorkflowExecutionAudit::new("rem-1", name, "v1", Outcome::Success)
}

/// The error of an event that must not be acknowledged.
async fn refused(publisher: &AuditPublisher) -> PublishError {
    match publisher.publish(&event("refused")).await {
        Ok(receipt) => receipt.await.unwrap_err(),
        Err(error) => error,
    }
}

fn metric(registry: &Registry, name: &str, outcome: Option<&str>) -> f64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name).unwrap();
    let wanted = |metric: &&prometheus::proto::Metric| {
        outcome
            .is_none_or(|outcome| metric.get_label().iter().any(|label| label.value() == outcome))
    };
    let metric = family.get_metric().iter().find(wanted).unwrap();
    if outcome.is_some() {
        metric.get_counter().get_value()
    } else {
        metric.get_gauge().get_value()
    }
}

#[tokio::test]
async fn an_event_is_acknowledged_with_its_place() {
    let cluster = cluster();
    let registry = Registry::new();
    let publisher = AuditPublisher::new(&PublisherOptions {
        registry: Some(registry.clone()),
        ..options(&cluster)
    })
    .unwrap();
    let mut receipts = Vec::new();
    for n in 0..100 {
        receipts.push(publisher.publish(&event(&format!("workflow-{n}"))).await.unwrap());
    }
    let mut places = std::collections::HashSet::new();
    for receipt in receipts {
        let id = receipt.id();
        let acknowledged = receipt.await.unwrap();
        assert_eq!((acknowledged.id, acknowledged.topic.as_str()), (id, TOPIC));
        assert!(places.insert((acknowledged.partition, acknowledged.offset)));
    }
    assert_eq!(
        places
            .iter()
            .map(|(partition, _)| partition)
            .collect::<std::collections::HashSet<_>>()
            .len(),
        3
    );
    publisher.close(Duration::from_secs(5)).await.unwrap();
    assert_eq!(metric(&registry, "kubernaut_audit_publish_total", Some("acknowledged")), 100.0);
    assert_eq!(metric(&registry, "kubernaut_audit_publish_queue_records", None), 0.0);
}

#[tokio::test]
async fn an_error_that_passes_is_not_seen() {
    let cluster = cluster();
    let publisher = AuditPublisher::new(&options(&cluster)).unwrap();
    let passing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
    cluster.request_errors(RDKafkaApiKey::Produce, &[passing, passing]);
    publisher.publish(&event("a")).await.unwrap().await.unwrap();
}

#[tokio::test]
async fn what_the_broker_refuses_is_an_error_of_its_own() {
    let cluster = cluster();
    let publisher = AuditPublisher::new(&options(&cluster)).unwrap();
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD],
    );
    let error = refused(&publisher).await;
    assert!(matches!(error, PublishError::Refused(_)) && !error.is_retriable(), "{error:?}");
    publisher.publish(&event("a")).await.unwrap().await.unwrap();
}

#[tokio::test]
async fn an_outage_is_over_for_the_caller_at_the_deadline_and_for_the_publisher_when_it_ends() {
    let cluster = cluster();
    let publisher = AuditPublisher::new(&options(&cluster)).unwrap();
    publisher.publish(&event("before")).await.unwrap().await.unwrap();

    cluster.broker_down(1).unwrap();
    let begun = Instant::now();
    assert_eq!(refused(&publisher).await, PublishError::Deadline);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());

    cluster.broker_up(1).unwrap();
    let up = Instant::now();
    while refused_or_acknowledged(&publisher).await.is_err() {
        assert!(up.elapsed() < Duration::from_secs(20), "does not recover");
    }
}

async fn refused_or_acknowledged(publisher: &AuditPublisher) -> Result<(), PublishError> {
    publisher.publish(&event("after")).await?.await.map(drop)
}

#[tokio::test]
async fn a_record_given_up_is_not_written_later() {
    let cluster = cluster();
    let publisher = AuditPublisher::new(&options(&cluster)).unwrap();
    let first = publisher.publish(&event("first")).await.unwrap().await.unwrap();
    cluster.broker_down(1).unwrap();
    assert_eq!(refused(&publisher).await, PublishError::Deadline);
    cluster.broker_up(1).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    // The same content is the same id, key and partition: the next offset tells what was written in between.
    let again = publisher.publish(&event("first")).await.unwrap().await.unwrap();
    assert_eq!((again.partition, again.offset), (first.partition, first.offset + 1));
}

#[tokio::test]
async fn a_full_queue_is_an_error_or_a_place_to_wait_for() {
    let cluster = cluster();
    let publisher = AuditPublisher::new(&PublisherOptions {
        queue_bytes: 2 * 1024 * 1024,
        ..options(&cluster)
    })
    .unwrap();
    cluster.broker_down(1).unwrap();
    let mut large = event("large");
    large.error_message = Some("x".repeat(1_000_000));
    let first = publisher.try_publish(&large).unwrap();
    let second = publisher.try_publish(&large).unwrap();
    assert_eq!(publisher.try_publish(&large).unwrap_err(), PublishError::QueueFull);

    // A place gets free when a record is given up.
    let third = publisher.publish(&large).await.unwrap();
    for receipt in [first, second, third] {
        assert_eq!(receipt.await.unwrap_err(), PublishError::Deadline);
    }
}

#[tokio::test]
async fn a_client_with_a_fatal_error_is_replaced() {
    let cluster = cluster();
    let publisher = AuditPublisher::new(&options(&cluster)).unwrap();
    publisher.publish(&event("before")).await.unwrap().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // An idempotent producer that has lost its sequence cannot go on (KIP-98).
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
    );
    let error = refused(&publisher).await;
    assert!(matches!(error, PublishError::ClientFailed(_)) && error.is_retriable(), "{error:?}");
    publisher.publish(&event("after")).await.unwrap().await.unwrap();
    publisher.close(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn closing_says_what_was_not_acknowledged() {
    let cluster = cluster();
    let publisher = AuditPublisher::new(&options(&cluster)).unwrap();
    let kept = publisher.publish(&event("kept")).await.unwrap().await.unwrap();
    cluster.broker_down(1).unwrap();
    let lost = publisher.publish(&event("lost")).await.unwrap();
    let id = lost.id();
    assert_ne!(kept.id, id);

    let error = publisher.clone().close(Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(error.ids, [id]);
    assert!(lost.await.unwrap_err().is_retriable());
    assert_eq!(publisher.try_publish(&event("late")).unwrap_err(), PublishError::Closed);
    assert_eq!(publisher.publish(&event("late")).await.unwrap_err(), PublishError::Closed);
}

#[tokio::test]
async fn dropping_the_publisher_resolves_its_receipts() {
    let cluster = cluster();
    let publisher = AuditPublisher::new(&options(&cluster)).unwrap();
    cluster.broker_down(1).unwrap();
    let receipt = publisher.publish(&event("lost")).await.unwrap();
    let begun = Instant::now();
    drop(publisher);
    assert!(begun.elapsed() < Duration::from_millis(100), "blocks for {:?}", begun.elapsed());
    assert!(receipt.await.unwrap_err().is_retriable());
}

#[tokio::test]
async fn invalid_events_are_refused_by_field_before_they_are_queued() {
    let publisher = AuditPublisher::new(&options(&cluster())).unwrap();
    let mut event = event("x");
    event.total_steps = Some(-1);
    let PublishError::Invalid(rejection) = publisher.publish(&event).await.unwrap_err() else {
        panic!()
    };
    assert_eq!(rejection.problems[0].path, "total_steps");
}
