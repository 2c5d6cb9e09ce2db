use audit_producer::{Answer, RecordingPublisher};
use audit_schema::topic::CE_TYPE_RAW;
use rdkafka::error::RDKafkaErrorCode;
use serde_json::{Value, json};

use super::super::event::tests::{resource, rules};
use super::*;

fn content() -> Content {
    let status = json!({"phase": "completed", "completedAt": "2026-01-15T10:00:00Z", "error": "x".repeat(3_000)});
    rules().content(resource(status), false).unwrap()
}

/// The predecessor's own test.
#[tokio::test]
async fn a_completed_workflow_is_stored_once_as_a_success() {
    let publisher = RecordingPublisher::default();
    persist_workflow_audit(&publisher, &content()).await.unwrap();
    let stored = publisher.records();
    assert_eq!(stored.len(), 1);
    let event: Value = serde_json::from_slice(stored[0].value()).unwrap();
    assert_eq!(event["outcome"], "success");
}

#[tokio::test]
async fn what_is_refused_for_good_goes_raw_and_shorter_until_it_is_taken() {
    let publisher = RecordingPublisher::default();
    let refused = PublishError::Refused(RDKafkaErrorCode::MessageSizeTooLarge);
    publisher.next_answer(Answer::Refuse(refused.clone()));
    publisher.next_answer(Answer::Fail(refused.clone()));
    let content = content();
    let (_, refusal) = persist_workflow_audit(&publisher, &content).await.unwrap();
    assert_eq!(refusal, Some(refused.to_string()));
    let taken = publisher.records().pop().unwrap();
    assert_eq!(taken.value(), &content.record.value()[..content.record.value().len() / 4]);
    assert_eq!(taken.id(), content.record.id());
    assert!(taken.headers().any(|header| header == ("ce_type", CE_TYPE_RAW)));
}

#[tokio::test]
async fn what_can_be_tried_again_is_left_to_the_caller() {
    let publisher = RecordingPublisher::default();
    for error in
        [PublishError::Deadline, PublishError::Refused(RDKafkaErrorCode::UnknownTopicOrPartition)]
    {
        publisher.next_answer(Answer::Refuse(error.clone()));
        assert_eq!(persist_workflow_audit(&publisher, &content()).await, Err(error));
    }
}
