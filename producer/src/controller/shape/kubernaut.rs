//! The shape of `kubernaut.ai/v1alpha1`: a reference to a workflow, and a status that counts tasks.

use audit_schema::event::{Outcome, StepExecutionAudit, WorkflowExecutionAudit};
use chrono::{DateTime, Utc};
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Execution, Shape, or_zero, part, score};

pub(super) static SHAPE: Shape = Shape {
    name: "kubernaut",
    is_that_of: |resource| !resource.data["spec"]["workflowRef"].is_null(),
    last_phases: [COMPLETED, FAILED],
    ended_at: "completionTime",
    read,
};

const COMPLETED: &str = "Completed";
const FAILED: &str = "Failed";

/// The top-level field of the event with what has no column.
const FIELD: &str = "kubernaut";

/// What of the status is not content: conditions are a controller's working notes, and the rest has columns.
const LEFT_OUT: [&str; 4] = ["conditions", "observedGeneration", "phase", "completionTime"];

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    #[serde(deserialize_with = "or_zero")]
    remediation_request_ref: Reference,
    #[serde(deserialize_with = "or_zero")]
    workflow_ref: WorkflowRef,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reference {
    #[serde(deserialize_with = "or_zero")]
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WorkflowRef {
    #[serde(deserialize_with = "or_zero")]
    workflow_name: String,
    #[serde(deserialize_with = "or_zero")]
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    #[serde(deserialize_with = "or_zero")]
    phase: String,
    #[serde(deserialize_with = "or_zero")]
    workflow_name: String,
    start_time: Option<DateTime<Utc>>,
    completion_time: Option<DateTime<Utc>>,
    execution_status: Option<ExecutionStatus>,
    #[serde(deserialize_with = "or_zero")]
    failure_reason: String,
    failure_details: Option<FailureDetails>,
}

/// Go leaves out zeros, so what is missing here is 0.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ExecutionStatus {
    #[serde(deserialize_with = "or_zero")]
    completed_tasks: i32,
    #[serde(deserialize_with = "or_zero")]
    total_tasks: i32,
    #[serde(deserialize_with = "or_zero")]
    retry_count: i32,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FailureDetails {
    #[serde(deserialize_with = "or_zero")]
    failed_task_index: i32,
    #[serde(deserialize_with = "or_zero")]
    failed_task_name: String,
    #[serde(deserialize_with = "or_zero")]
    message: String,
}

fn read(resource: &DynamicObject) -> Result<Execution, serde_json::Error> {
    let spec: Spec = part(resource, "spec")?;
    let status: Status = part(resource, "status")?;

    let names = [spec.workflow_ref.workflow_name, status.workflow_name];
    let name = names.into_iter().find(|name| !name.is_empty());
    let mut event = WorkflowExecutionAudit::new(
        spec.remediation_request_ref.name,
        name.unwrap_or_else(|| resource.name_any()),
        spec.workflow_ref.version,
        match status.phase.as_str() {
            COMPLETED => Outcome::Success,
            FAILED => Outcome::Failed,
            _ => Outcome::Partial,
        },
    );
    let failed_task = status.failure_details.as_ref().map(failed_task);
    if let Some(tasks) = &status.execution_status {
        event.total_steps = Some(tasks.total_tasks);
        event.steps_completed = Some(tasks.completed_tasks);
        event.steps_failed = Some(i32::from(failed_task.is_some()));
        event.effectiveness_score =
            Some(score(tasks.completed_tasks, tasks.total_tasks, i64::from(tasks.retry_count), 0));
    }
    event.step_executions = Some(failed_task.into_iter().collect());
    event.completed_at = status.completion_time;
    event.status = Some(status.phase);
    let messages = [status.failure_details.unwrap_or_default().message, status.failure_reason];
    event.error_message = messages.into_iter().find(|message| !message.is_empty());
    event.extensions.insert(FIELD.to_owned(), without_columns(resource).into());
    Ok(Execution { event, started_at: status.start_time, problems: Vec::new() })
}

fn failed_task(failure: &FailureDetails) -> StepExecutionAudit {
    StepExecutionAudit {
        step_number: failure.failed_task_index,
        action: failure.failed_task_name.clone(),
        status: FAILED.to_owned(),
        error_message: Some(failure.message.clone()).filter(|message| !message.is_empty()),
        ..StepExecutionAudit::default()
    }
}

/// The fields of spec and status in one object: they have no names in common.
fn without_columns(resource: &DynamicObject) -> Map<String, Value> {
    let part = |name: &str| resource.data[name].as_object().cloned().unwrap_or_default();
    let mut fields = part("spec");
    let status = part("status");
    fields.extend(status.into_iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str())));
    fields
}

#[cfg(test)]
mod tests;
