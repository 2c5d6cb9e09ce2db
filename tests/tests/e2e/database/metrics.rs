//! The metrics of the workflows count what was stored, once.

use anyhow::Result;
use audit_schema::problem::Code;
use audit_tests::{
    generator::Generator,
    kafka::Record,
    metrics::Metrics,
    pipeline::Pipeline,
    proxy::{CutAt, Proxy},
};
use chrono::Utc;
use uuid::Uuid;

use super::{PATIENCE, consumer_through};

const SEED: u64 = 0x0A0D_1008;

const DURATION: &str = "kubernaut_workflow_execution_duration_seconds";
const STEPS: &str = "kubernaut_workflow_step_executions_total";
const SCORE: &str = "kubernaut_workflow_effectiveness_score";
const OPERATIONS: &str = "kubernaut_workflow_audit_storage_operations_total";

#[tokio::test]
async fn what_was_stored_is_counted_once() -> Result<()> {
    let mut pipeline = Pipeline::shared("metrics", 1).await?;
    let kafka = pipeline.servers.kafka;
    let steps = r#"[{"step_number":1,"action":"drain","duration":5,"status":"completed","retries_attempted":0},
        {"step_number":2,"action":"restart","duration":5,"status":"failed","retries_attempted":2}]"#;
    let first = event(
        1,
        &format!(
            r#""total_duration":90000000000,"effectiveness_score":0.75,"step_executions":{steps}"#
        ),
    );
    let poison = Generator::new(SEED, Utc::now()).poison(Code::InvalidJson);
    let records = vec![
        first.clone(),
        // A duplicate, and another content of the same id: both are no other execution.
        first.clone(),
        event(1, r#""total_duration":1000000000"#),
        // Durations that are not observed.
        event(2, r#""total_duration":-5000000000"#),
        event(3, r#""total_duration":null"#),
        event(4, r#""total_duration":30000000000"#),
        poison,
    ];
    kafka.publish(&pipeline.topic, records).await?;

    // The answer to the COMMIT is lost; what it stored counts all the same.
    let proxy = Proxy::start(pipeline.servers.postgres.address())?;
    proxy.cut_next_commit(CutAt::CommitReply, "INSERT INTO audit_batch");
    let consumer = consumer_through(&pipeline, &proxy).start_ready().await?;
    proxy.wait_for_cuts(1, PATIENCE).await?;
    pipeline.verify().await?;
    super::committed(&consumer, 7.0).await?;
    // What was stored is counted last.
    super::counted(&consumer, STEPS, &[], 2.0).await?;
    super::counted(&consumer, &format!("{DURATION}_count"), &[], 2.0).await?;
    let metrics = consumer.metrics().await?;
    let workflow = [("workflow_name", "metered"), ("outcome", "success")];
    equal(&metrics, &format!("{DURATION}_count"), &workflow, 2.0);
    equal(&metrics, &format!("{DURATION}_sum"), &workflow, 120.0);
    equal(&metrics, &format!("{DURATION}_bucket"), &[("le", "60")], 1.0);
    equal(&metrics, STEPS, &[], 2.0);
    equal(
        &metrics,
        STEPS,
        &[("workflow_name", "metered"), ("action", "restart"), ("status", "failed")],
        1.0,
    );
    equal(&metrics, SCORE, &[("workflow_name", "metered")], 0.75);
    equal(&metrics, OPERATIONS, &[("status", "success")], 5.0);
    equal(&metrics, OPERATIONS, &[("status", "error")], 1.0);
    pipeline.stop(&consumer).await?;

    pipeline.group.push_str("_again");
    let consumer = pipeline.start_consumer().await?;
    super::committed(&consumer, 7.0).await?;
    let metrics = consumer.metrics().await?;
    equal(&metrics, "kubernaut_audit_records_total", &[("disposition", "duplicate")], 7.0);
    for name in [&format!("{DURATION}_count"), STEPS, OPERATIONS] {
        equal(&metrics, name, &[], 0.0);
    }
    pipeline.stop(&consumer).await
}

fn event(id: u128, members: &str) -> Record {
    let id = Uuid::from_u128(id << 64);
    Record::new(format!(
        r#"{{"id":"{id}","remediation_id":"r","workflow_name":"metered","workflow_version":"v","outcome":"success",{members}}}"#
    ))
}

#[track_caller]
fn equal(metrics: &Metrics, name: &str, labels: &[(&str, &str)], expected: f64) {
    let found = metrics.sum(name, labels);
    assert!((found - expected).abs() < 1e-9, "{name}{labels:?}: {found}, expected {expected}");
}
