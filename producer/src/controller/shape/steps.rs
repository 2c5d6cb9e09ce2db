//! The shape with steps: what this project's predecessor published from, with its functions and their results.
//!
//! Where the predecessor would have crashed or lied: a step without both times has no duration; steps in the status
//! without any in the spec are scored among themselves; what is no list of adjustments is told; a negative duration is
//! kept and told.

use audit_schema::event::{
    AdaptiveAdjustment, Outcome, StepExecutionAudit, WorkflowExecutionAudit,
};
use chrono::{DateTime, Utc};
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Execution, Shape, count, duration, or_zero, part, score};
use crate::controller::event::created_at;
use crate::controller::problem::{Problem, explain};

pub(super) static SHAPE: Shape = Shape {
    name: "steps",
    is_that_of: |resource| {
        [&resource.data["spec"], &resource.data["status"]]
            .iter()
            .any(|part| !part["steps"].is_null())
    },
    last_phases: [COMPLETED, FAILED],
    ended_at: "completedAt",
    read,
};

const COMPLETED: &str = "completed";
const FAILED: &str = "failed";

/// JSON: a list of adjustments.
const ADJUSTMENTS: &str = "adaptive-adjustments";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    #[serde(deserialize_with = "or_zero")]
    remediation_request_ref: Reference,
    #[serde(deserialize_with = "or_zero")]
    workflow_version: String,
    #[serde(deserialize_with = "or_zero")]
    steps: Vec<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reference {
    #[serde(deserialize_with = "or_zero")]
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    #[serde(deserialize_with = "or_zero")]
    phase: String,
    completed_at: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "or_zero")]
    error: String,
    #[serde(deserialize_with = "or_zero")]
    steps: Vec<Step>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Step {
    #[serde(deserialize_with = "or_zero")]
    index: i32,
    #[serde(deserialize_with = "or_zero")]
    action: String,
    #[serde(deserialize_with = "or_zero")]
    phase: String,
    #[serde(deserialize_with = "or_zero")]
    retry_count: i32,
    #[serde(deserialize_with = "or_zero")]
    error: String,
    #[serde(deserialize_with = "or_zero")]
    rolled_back: bool,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
}

fn read(resource: &DynamicObject) -> Result<Execution, serde_json::Error> {
    let spec: Spec = part(resource, "spec")?;
    let status: Status = part(resource, "status")?;
    let mut problems = Vec::new();

    let mut event = WorkflowExecutionAudit::new(
        spec.remediation_request_ref.name,
        resource.name_any(),
        spec.workflow_version,
        determine_outcome(&status.phase),
    );
    event.total_steps = Some(count(spec.steps.len()));
    event.steps_completed = Some(count_completed_steps(&status.steps));
    event.steps_failed = Some(count_failed_steps(&status.steps));
    if spec.steps.is_empty() && !status.steps.is_empty() {
        problems.push(Problem::at("spec.steps", "is empty: the score is that of status.steps"));
    }
    event.effectiveness_score =
        Some(calculate_effectiveness_score(spec.steps.len(), &status.steps));
    event.rollbacks_performed = Some(count_rollbacks(&status.steps));
    event.step_executions = Some(step_executions(&status.steps, &mut problems));
    event.adaptive_adjustments = Some(collect_adaptive_adjustments(resource, &mut problems));
    event.completed_at = status.completed_at;
    event.status = Some(status.phase);
    event.error_message = Some(status.error).filter(|error| !error.is_empty());
    Ok(Execution { event, started_at: created_at(resource), problems })
}

fn step_executions(steps: &[Step], problems: &mut Vec<Problem>) -> Vec<StepExecutionAudit> {
    let execution = |(position, step): (usize, &Step)| {
        let duration = duration(step.started_at, step.completed_at);
        if duration.is_some_and(i64::is_negative) {
            let path = format!("status.steps[{position}].completedAt");
            problems.push(Problem::at(path, "is before its startedAt"));
        }
        StepExecutionAudit {
            step_number: step.index,
            action: step.action.clone(),
            duration,
            status: step.phase.clone(),
            retries_attempted: step.retry_count,
            error_message: Some(step.error.clone()).filter(|error| !error.is_empty()),
        }
    };
    steps.iter().enumerate().map(execution).collect()
}

/// Of no steps it is 0, as [`score`] has it for a total of 0.
fn calculate_effectiveness_score(total: usize, steps: &[Step]) -> f64 {
    let total = if total == 0 || steps.is_empty() { steps.len() } else { total };
    let retries = steps.iter().map(|step| i64::from(step.retry_count)).sum();
    score(count_completed_steps(steps), count(total), retries, count_rollbacks(steps))
}

fn count_completed_steps(steps: &[Step]) -> i32 {
    count(steps.iter().filter(|step| step.phase == COMPLETED).count())
}

fn count_failed_steps(steps: &[Step]) -> i32 {
    count(steps.iter().filter(|step| step.phase == FAILED).count())
}

fn count_rollbacks(steps: &[Step]) -> i32 {
    count(steps.iter().filter(|step| step.rolled_back).count())
}

fn determine_outcome(phase: &str) -> Outcome {
    match phase {
        COMPLETED => Outcome::Success,
        FAILED => Outcome::Failed,
        _ => Outcome::Partial,
    }
}

fn collect_adaptive_adjustments(
    resource: &DynamicObject,
    problems: &mut Vec<Problem>,
) -> Vec<AdaptiveAdjustment> {
    let Some(text) = resource.annotations().get(ADJUSTMENTS) else { return Vec::new() };
    match serde_json::from_str::<Option<Vec<_>>>(text) {
        Ok(adjustments) => adjustments.unwrap_or_default(),
        Err(error) => {
            problems.push(Problem {
                path: format!("metadata.annotations.{ADJUSTMENTS}"),
                problem: format!("is no list of adjustments: {}", explain(&error)),
                value: Some(text.clone()),
            });
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests;
