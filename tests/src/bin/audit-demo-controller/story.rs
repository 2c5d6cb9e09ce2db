//! What the resources go through.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use audit_tests::{
    eventually,
    kube::{PUBLISHED, is_held},
    screen::Screen,
};
use kube::{
    ResourceExt,
    api::{DeleteParams, DynamicObject},
};
use serde_json::{Value, json};

use crate::stage::{Stage, Surroundings};

const LIMIT: Duration = Duration::from_secs(120);
const NAMES: [&str; 3] = ["drain-node", "restart-pod", "rotate-certificates"];

/// Whether the proof holds.
pub(crate) async fn tell(screen: &Screen) -> Result<bool> {
    let surroundings = Surroundings::start(screen).await?;
    let stage = Stage::set(&surroundings, screen).await?;

    for (number, name) in NAMES.iter().enumerate() {
        let spec = json!({
            "remediationRequestRef": {"name": format!("rr-{number}")},
            "workflowRef": {"workflowName": name, "version": "v1"},
            "parameters": {"DB_PASSWORD": "s3cret", "REPLICAS": "3"},
        });
        stage.executions.create(name, spec).await?;
    }
    for name in NAMES {
        stage.becomes(name, is_held).await?;
    }
    screen.step(
        "created three WorkflowExecutions; each has the finalizer audit.kubernaut.ai/publish",
    )?;

    stage.executions.set_status("drain-node", completed()).await?;
    stage.executions.set_status("restart-pod", failed()).await?;
    for name in &NAMES[..2] {
        let resource = stage.becomes(name, |resource| !is_held(resource)).await?;
        screen.step(format!("{name} has finished: {}", place(&resource)?))?;
    }

    surroundings.kafka.stop(1).await?;
    screen.step("stopped Kafka; rotate-certificates finishes, and is deleted")?;
    stage.executions.set_status("rotate-certificates", completed()).await?;
    stage.executions.api.delete("rotate-certificates", &DeleteParams::default()).await?;
    let held = stage.executions.api.get("rotate-certificates").await?;
    ensure!(is_held(&held), "rotate-certificates is not held");
    screen.step("rotate-certificates is being deleted, and held: its event is not safe yet")?;
    surroundings.kafka.restart(1).await?;
    eventually(LIMIT, "rotate-certificates to be gone", async || {
        let found = stage.executions.api.get_opt("rotate-certificates").await?;
        ensure!(found.is_none(), "it is there");
        Ok(())
    })
    .await?;
    screen.step("started Kafka again; rotate-certificates is published, and gone")?;

    screen.say("\nThe rows:")?;
    for row in stage.rows().await? {
        screen.say(format!("  {row}"))?;
    }
    stage.prove(screen).await
}

fn completed() -> Value {
    json!({
        "phase": "Completed",
        "startTime": "2026-01-15T10:00:00Z", "completionTime": "2026-01-15T10:00:42Z",
        "executionStatus": {"completedTasks": 4, "totalTasks": 4, "retryCount": 1},
    })
}

fn failed() -> Value {
    json!({
        "phase": "Failed",
        "startTime": "2026-01-15T10:00:00Z", "completionTime": "2026-01-15T10:01:30Z",
        "executionStatus": {"completedTasks": 2, "totalTasks": 4},
        "failureDetails": {"failedTaskIndex": 2, "failedTaskName": "evict", "message": "timed out"},
    })
}

/// Where its mark says that its event is.
fn place(resource: &DynamicObject) -> Result<String> {
    let mark = resource.annotations().get(PUBLISHED).context("it has no mark")?;
    let mark: Value = serde_json::from_str(mark)?;
    let id = mark["id"].as_str().context("its mark has no id")?;
    Ok(format!("event {id} at partition {}, offset {}", mark["partition"], mark["offset"]))
}

impl Stage<'_> {
    async fn becomes(
        &self,
        name: &str,
        is_so: impl Fn(&DynamicObject) -> bool,
    ) -> Result<DynamicObject> {
        eventually(LIMIT, &format!("{name} to be seen by the controller"), async || {
            let resource = self.executions.api.get(name).await?;
            ensure!(is_so(&resource), "{}", serde_json::to_string(&resource)?);
            Ok(resource)
        })
        .await
    }

    async fn rows(&self) -> Result<Vec<String>> {
        let client = self.pipeline.servers.postgres.connect(&self.pipeline.database).await?;
        let query = "
            SELECT format('%s  %s  %s of %s steps  %s  score %s  %s  password %s', workflow_name, outcome,
                steps_completed, total_steps, total_duration, effectiveness_score, coalesce(error_message, '-'),
                extensions #>> '{kubernaut,parameters,DB_PASSWORD}')
            FROM workflow_execution_audit ORDER BY workflow_name";
        eventually(LIMIT, "a row of each resource", async || {
            let rows = client.query(query, &[]).await?;
            ensure!(rows.len() == NAMES.len(), "{} rows", rows.len());
            Ok(rows.iter().map(|row| row.get(0)).collect())
        })
        .await
    }

    /// Compares topic and tables.
    async fn prove(&self, screen: &Screen) -> Result<bool> {
        let verify = self.pipeline.command("verify").args(["--against-topic"]);
        let verify = verify
            .env("AUDIT_BROKERS", self.pipeline.servers.kafka.bootstrap())
            .env("AUDIT_TOPIC", &self.pipeline.topic)
            .env("AUDIT_GROUP", &self.pipeline.group);
        let output = verify.run().await?;
        screen.say(format!(
            "\naudit-consumer verify --against-topic\n{}",
            output.stdout.trim_end()
        ))?;
        Ok(output.code == Some(0))
    }
}
