//! The publisher as a Rust controller uses it.

use std::time::Duration;

use anyhow::Result;
use audit_producer::{AuditPublisher, PublishError, PublisherOptions};
use audit_schema::event::{Outcome, StepExecutionAudit, WorkflowExecutionAudit};
use audit_tests::{gateway::lost, generator::Generator, pipeline::Pipeline, postgres::connect};
use chrono::Utc;
use futures_util::future::try_join_all;

const SEED: u64 = 0x0A0D_2006;

#[tokio::test]
async fn events_published_by_the_library_become_rows() -> Result<()> {
    let pipeline = Pipeline::shared("library", 3).await?;
    let consumer = pipeline.start_consumer().await?;
    let publisher = AuditPublisher::new(&PublisherOptions {
        brokers: pipeline.servers.kafka.bootstrap().to_owned(),
        topic: pipeline.topic.clone(),
        source: "/clusters/test/namespaces/e2e".to_owned(),
        deadline: Duration::from_secs(120),
        ..PublisherOptions::default()
    })?;

    let mut receipts = Vec::new();
    for event in Generator::new(SEED, Utc::now()).events(2_000) {
        let event: WorkflowExecutionAudit = serde_json::from_slice(&event.value())?;
        receipts.push(publisher.publish(&event).await?);
    }
    let mut event = WorkflowExecutionAudit::new("rem-1", "by-hand", "v1", Outcome::Partial);
    event.total_duration = Some(1_234_567_890);
    event.step_executions = Some(vec![StepExecutionAudit {
        step_number: 1,
        action: "cordon-node".to_owned(),
        duration: Some(5),
        status: "completed".to_owned(),
        ..StepExecutionAudit::default()
    }]);
    let by_hand = publisher.publish(&event).await?.await?;
    let mut acknowledged = try_join_all(receipts).await?;
    acknowledged.push(by_hand.clone());
    event.total_steps = Some(-1);
    assert!(matches!(publisher.publish(&event).await, Err(PublishError::Invalid(_))));
    publisher.close(Duration::from_secs(120)).await?;
    event.total_steps = None;
    assert!(matches!(publisher.publish(&event).await, Err(PublishError::Closed)));

    let summary = pipeline.verify().await?;
    assert_eq!((summary.ids, summary.history, summary.dead_letters), (2_001, 0, 0));
    let records = pipeline.servers.kafka.read_all(&pipeline.topic).await?;
    assert_eq!(lost(&acknowledged, &records), []);
    let database = connect(&pipeline.database_url).await?;
    let row = "
        SELECT concat_ws('|', workflow_name, outcome, total_duration, step_executions -> 0 ->> 'action')
        FROM workflow_execution_audit WHERE id = $1";
    let row: String = database.query_one(row, &[&by_hand.id]).await?.get(0);
    assert_eq!(row, "by-hand|partial|00:00:01.234567|cordon-node");
    pipeline.stop(&consumer).await
}
