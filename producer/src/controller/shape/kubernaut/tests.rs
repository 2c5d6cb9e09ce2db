use serde_json::json;

use super::*;

fn read_with(spec: &Value, status: &Value) -> WorkflowExecutionAudit {
    let resource = serde_json::from_value(json!({
        "apiVersion": "kubernaut.ai/v1alpha1",
        "kind": "WorkflowExecution",
        "metadata": {"name": "we-1"},
        "spec": spec,
        "status": status,
    }));
    read(&resource.unwrap()).unwrap().event
}

#[test]
fn outcomes_follow_the_phase() {
    for (phase, outcome) in [
        ("Completed", Outcome::Success),
        ("Failed", Outcome::Failed),
        ("Running", Outcome::Partial),
        ("Pending", Outcome::Partial),
        ("completed", Outcome::Partial),
    ] {
        assert_eq!(read_with(&json!({}), &json!({"phase": phase})).outcome, outcome, "{phase}");
    }
}

#[test]
fn totals_are_unknown_without_an_execution_status_and_0_where_it_says_none() {
    let absent = read_with(&json!({}), &json!({"phase": "Failed", "failureDetails": {}}));
    assert_eq!(
        (absent.total_steps, absent.steps_completed, absent.steps_failed),
        (None, None, None)
    );
    assert_eq!(absent.effectiveness_score, None);
    assert_eq!(absent.step_executions.unwrap().len(), 1);

    let zeros = read_with(&json!({}), &json!({"executionStatus": {"totalTasks": 4}}));
    assert_eq!(
        (zeros.total_steps, zeros.steps_completed, zeros.steps_failed),
        (Some(4), Some(0), Some(0))
    );
    assert_eq!(zeros.effectiveness_score, Some(0.0));

    let retried = json!({"totalTasks": 2, "completedTasks": 2, "retryCount": 4});
    let retried = read_with(&json!({}), &json!({"executionStatus": retried}));
    assert_eq!(retried.effectiveness_score, Some(0.8));
}

#[test]
fn the_name_is_the_first_that_is_there() {
    let reference = json!({"workflowRef": {"workflowName": "a"}});
    let status = json!({"workflowName": "b"});
    assert_eq!(read_with(&reference, &status).workflow_name, "a");
    assert_eq!(read_with(&json!({"workflowRef": {}}), &status).workflow_name, "b");
    assert_eq!(read_with(&json!({}), &json!({})).workflow_name, "we-1");
}

#[test]
fn a_failure_is_one_step_and_its_message_the_event_s() {
    let details = json!({"failedTaskIndex": 2, "failedTaskName": "evict", "message": "timed out"});
    let event =
        read_with(&json!({}), &json!({"failureReason": "TaskFailed", "failureDetails": details}));
    assert_eq!(
        event.step_executions.unwrap(),
        [StepExecutionAudit {
            step_number: 2,
            action: "evict".into(),
            status: "Failed".into(),
            error_message: Some("timed out".into()),
            ..StepExecutionAudit::default()
        }]
    );
    assert_eq!(event.error_message.as_deref(), Some("timed out"));
    let event = read_with(&json!({}), &json!({"failureReason": "TaskFailed"}));
    assert_eq!(event.error_message.as_deref(), Some("TaskFailed"));
}

#[test]
fn what_has_no_column_is_kept_except_working_notes() {
    let event = read_with(
        &json!({"targetResource": "a/b/c", "workflowRef": {"workflowId": "w"}, "confidence": 0.5}),
        &json!({"phase": "Completed", "startTime": "2026-01-15T10:00:00Z", "conditions": [1], "observedGeneration": 3,
            "completionTime": "2026-01-15T10:00:00Z", "blockClearance": {"clearedBy": "ops"}}),
    );
    let expected = json!({
        "targetResource": "a/b/c", "workflowRef": {"workflowId": "w"}, "confidence": 0.5,
        "startTime": "2026-01-15T10:00:00Z", "blockClearance": {"clearedBy": "ops"},
    });
    assert_eq!(event.extensions[FIELD], expected);
}
