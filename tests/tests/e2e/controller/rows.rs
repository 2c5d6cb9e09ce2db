//! All the way: what a resource says is what its row says.

use anyhow::{Result, ensure};
use audit_tests::{eventually, http, shared};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{KUBERNAUT, LIMIT, PUBLISHED, STEPS, Site, completed, three_steps};

impl Site {
    /// The row of a resource, and how many contents of it are in history.
    async fn row(&self, name: &str) -> Result<(Value, i64)> {
        let client = self.pipeline.servers.postgres.connect(&self.pipeline.database).await?;
        let query = "SELECT to_jsonb(audit), (SELECT count(*) FROM workflow_execution_audit_history AS history WHERE history.id = audit.id)
            FROM workflow_execution_audit AS audit WHERE extensions->'kubernetes'->>'name' = $1";
        eventually(LIMIT, &format!("a row of {name}"), async || {
            let row = client.query_one(query, &[&name]).await?;
            Ok((row.get(0), row.get(1)))
        })
        .await
    }
}

/// Whether the row says all of this.
fn has(row: &Value, expected: &Value) -> Result<()> {
    for (column, value) in expected.as_object().into_iter().flatten() {
        ensure!(row[column] == *value, "{column} is {}, not {value}", row[column]);
    }
    Ok(())
}

#[tokio::test]
async fn a_resource_with_steps_becomes_a_row() -> Result<()> {
    let site = Site::new("steps_row", STEPS).await?;
    let consumer = site.pipeline.start_consumer().await?;
    let controller = site.start().await?;
    let created = site.create("restart-pod", three_steps()).await?;
    site.held("restart-pod").await?;
    site.set_status("restart-pod", json!({"phase": "executing"})).await?;
    site.set_status("restart-pod", completed()).await?;
    let published = site.published("restart-pod").await?;
    assert_eq!(published.labels()[PUBLISHED], "true");

    let mark: Value = serde_json::from_str(&published.annotations()[PUBLISHED])?;
    let (row, history) = site.row("restart-pod").await?;
    assert_eq!(history, 0);
    has(
        &row,
        &json!({
            "id": mark["id"], "content_digest": format!("\\x{}", mark["digest"].as_str().unwrap_or_default()),
            "source_partition": mark["partition"], "source_offset": mark["offset"],
            "remediation_id": "rr-1", "workflow_name": "restart-pod", "workflow_version": "v1.2",
            "total_steps": 3, "steps_completed": 3, "steps_failed": 0, "rollbacks_performed": 1,
            "outcome": "success", "effectiveness_score": 1.0 - 0.05 - 0.10, "status": "completed",
            "adaptive_adjustments": [],
        }),
    )?;
    assert_eq!(row["step_executions"][0]["duration"], 3_000_000_000_i64);
    assert_eq!(row["step_executions"][1]["duration"], Value::Null);
    let origin = &row["extensions"]["kubernetes"];
    assert_eq!(origin["cluster"], "tests");
    assert_eq!(origin["uid"], json!(created.uid()));
    assert_eq!(origin["apiVersion"], STEPS);

    // Another phase of the cluster's life: what is published is not published again.
    site.set_status("restart-pod", json!({"conditions": [{"type": "Seen"}]})).await?;
    drop(controller);
    let controller = site.start().await?;
    site.create("second", three_steps()).await?;
    site.held("second").await?;
    assert_eq!(site.events_of("restart-pod").await?.len(), 1);
    site.pipeline.verify().await?;
    drop((controller, consumer));
    Ok(())
}

#[tokio::test]
async fn a_kubernaut_resource_becomes_a_row_and_changes_supersede() -> Result<()> {
    let site = Site::new("kubernaut_row", KUBERNAUT).await?;
    let consumer = site.pipeline.start_consumer().await?;
    let controller = site.start().await?;
    let spec = json!({
        "remediationRequestRef": {"name": "rr-2"},
        "workflowRef": {"workflowId": "w-17", "workflowName": "drain-node", "version": "3", "executionEngine": "tekton"},
        "targetResource": "payments/Deployment/api",
        "parameters": {"REPLICAS": "3", "DB_PASSWORD": "s3cret"},
        "confidence": 0.9,
    });
    site.create("we-2", spec).await?;
    site.held("we-2").await?;
    let status = json!({
        "phase": "Failed",
        "startTime": "2026-01-15T10:00:00Z",
        "completionTime": "2026-01-15T10:00:42Z",
        "executionStatus": {"completedTasks": 2, "totalTasks": 4},
        "failureReason": "TaskFailed",
        "failureDetails": {"failedTaskIndex": 2, "failedTaskName": "evict", "message": "timed out", "exitCode": 137},
        "conditions": [{"type": "Complete", "status": "True"}],
    });
    site.set_status("we-2", status).await?;
    site.published("we-2").await?;
    let (row, _) = site.row("we-2").await?;
    let expected = json!({
        "remediation_id": "rr-2", "workflow_name": "drain-node", "workflow_version": "3",
        "total_steps": 4, "steps_completed": 2, "steps_failed": 1, "rollbacks_performed": null,
        "outcome": "failed", "effectiveness_score": 0.5, "status": "Failed", "error_message": "timed out",
        "total_duration": "00:00:42", "adaptive_adjustments": null,
    });
    has(&row, &expected)?;
    assert_eq!(row["step_executions"][0]["action"], "evict");
    let kubernaut = &row["extensions"]["kubernaut"];
    assert_eq!(kubernaut["parameters"], json!({"REPLICAS": "3", "DB_PASSWORD": "[redacted]"}));
    assert_eq!(kubernaut["failureDetails"]["exitCode"], 137);
    assert_eq!(kubernaut["conditions"], Value::Null);

    // Who cleared a block is content; a condition is not.
    let api = site.api().await?;
    let label = Patch::Merge(json!({"metadata": {"labels": {"team": "payments"}}}));
    api.patch("we-2", &PatchParams::default(), &label).await?;
    site.set_status("we-2", json!({"conditions": [{"type": "Complete", "status": "False"}]}))
        .await?;
    site.set_status("we-2", json!({"blockClearance": {"clearedBy": "ops"}})).await?;
    eventually(LIMIT, "the change to supersede", async || {
        let (row, history) = site.row("we-2").await?;
        ensure!(history == 1, "{history} in history");
        let clearance = &row["extensions"]["kubernaut"]["blockClearance"]["clearedBy"];
        ensure!(clearance == "ops", "{clearance}");
        Ok(())
    })
    .await?;
    assert_eq!(site.events_of("we-2").await?.len(), 2);
    site.pipeline.verify().await?;
    drop((controller, consumer));
    Ok(())
}

#[tokio::test]
async fn many_that_finish_at_once_are_each_published_once() -> Result<()> {
    const MANY: usize = 300;
    let site = Site::new("many", STEPS).await?;
    for number in 0..MANY {
        site.create(&format!("we-{number}"), three_steps()).await?;
        site.set_status(&format!("we-{number}"), completed()).await?;
    }
    let controller = site.start().await?;
    let api = site.api().await?;
    eventually(LIMIT, "all to be marked", async || {
        let marked = api.list(&kube::api::ListParams::default().labels(PUBLISHED)).await?;
        ensure!(marked.items.len() == MANY, "{} are", marked.items.len());
        Ok(())
    })
    .await?;
    let records = site.records().await?;
    assert_eq!(records.len(), MANY, "once each");
    let consumer = site.pipeline.start_consumer().await?;
    site.pipeline.verify().await?;
    drop((controller, consumer));
    Ok(())
}

#[tokio::test]
async fn it_starts_before_the_definition_exists_and_waits_for_it() -> Result<()> {
    let site = Site::new("definition", "late.kubernaut.ai/v1").await?;
    let controller = site.start().await?;
    eventually(LIMIT, "it to say so", async || {
        let text = http::get(controller.admin(), "/readyz?verbose").await?.text();
        ensure!(text.contains("apply its CustomResourceDefinition"), "{text}");
        Ok(())
    })
    .await?;
    let definition = audit_tests::kube::STEPS.replace("steps.kubernaut.ai", "late.kubernaut.ai");
    shared::kube().await?.define(&definition).await?;
    site.create("late", three_steps()).await?;
    site.set_status("late", completed()).await?;
    site.published("late").await?;
    Ok(())
}
