//! The results are the predecessor's, worked out by hand from its formulas.

use serde_json::{Value, json};

use super::*;

fn resource(spec: Value, status: Value) -> DynamicObject {
    let mut resource: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "steps.kubernaut.ai/v1",
        "kind": "WorkflowExecution",
        "metadata": {"name": "restart-pod", "creationTimestamp": "2026-01-15T09:00:00Z"},
    }))
    .unwrap();
    resource.data["spec"] = spec;
    resource.data["status"] = status;
    resource
}

fn steps(phases: &[&str]) -> Value {
    phases
        .iter()
        .enumerate()
        .map(|(index, phase)| json!({"index": index, "phase": phase}))
        .collect()
}

fn score_of(planned: usize, steps: &Value) -> f64 {
    let steps: Vec<Step> = Vec::deserialize(steps).unwrap();
    calculate_effectiveness_score(planned, &steps)
}

#[test]
fn outcomes_follow_the_phase_in_lower_case() {
    assert_eq!(determine_outcome("completed"), Outcome::Success);
    assert_eq!(determine_outcome("failed"), Outcome::Failed);
    for other in ["", "Completed", "executing", "paused", "cancelled"] {
        assert_eq!(determine_outcome(other), Outcome::Partial, "{other}");
    }
}

#[test]
fn steps_are_counted_by_phase() {
    let execution = read(&resource(
        json!({"steps": [{}, {}, {}, {}]}),
        json!({"phase": "failed", "steps": steps(&["completed", "failed", "Completed", "failed"])}),
    ));
    let event = execution.unwrap().event;
    assert_eq!(event.total_steps, Some(4));
    assert_eq!(event.steps_completed, Some(1));
    assert_eq!(event.steps_failed, Some(2));
    assert_eq!(event.rollbacks_performed, Some(0));
}

#[test]
fn scores_are_those_of_the_formula() {
    let close = |score: f64, expected: f64| (score - expected).abs() < 1e-12;
    assert!(close(score_of(3, &json!([])), 0.0), "no steps");
    assert!(close(score_of(4, &steps(&["completed", "completed", "completed", "failed"])), 0.75));
    let penalties = json!([
        {"phase": "completed", "retryCount": 2, "rolledBack": true},
        {"phase": "completed", "retryCount": 1},
    ]);
    assert!(close(score_of(2, &penalties), 1.0 - 3.0 * 0.05 - 0.10));
    assert!(
        close(score_of(2, &json!([{"phase": "completed", "retryCount": 40}])), 0.0),
        "not below 0"
    );
    assert!(
        close(score_of(1, &json!([{"phase": "completed", "retryCount": -9}])), 1.0),
        "not above 1"
    );
    assert!(close(score_of(1, &steps(&["completed", "completed"])), 1.0), "more done than planned");
}

#[test]
fn steps_that_were_not_planned_are_scored_among_themselves() {
    let execution = read(&resource(
        json!({"steps": []}),
        json!({"phase": "completed", "steps": steps(&["completed", "failed"])}),
    ))
    .unwrap();
    assert_eq!(execution.event.total_steps, Some(0));
    assert_eq!(execution.event.effectiveness_score, Some(0.5));
    assert_eq!(execution.problems[0].path, "spec.steps");
}

#[test]
fn a_step_without_both_times_has_no_duration_and_a_negative_one_is_told() {
    let execution = read(&resource(
        json!({"steps": [{}, {}, {}, {}]}),
        json!({"phase": "completed", "steps": [
            {"startedAt": "2026-01-15T10:00:00Z", "completedAt": "2026-01-15T10:00:01.5Z"},
            {"startedAt": "2026-01-15T10:00:00Z", "completedAt": null},
            {"completedAt": "2026-01-15T10:00:00Z"},
            {"startedAt": "2026-01-15T10:00:01Z", "completedAt": "2026-01-15T12:00:00+02:00"},
        ]}),
    ))
    .unwrap();
    let durations: Vec<_> =
        execution.event.step_executions.unwrap().into_iter().map(|step| step.duration).collect();
    assert_eq!(durations, [Some(1_500_000_000), None, None, Some(-1_000_000_000)]);
    let paths: Vec<_> = execution.problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["status.steps[3].completedAt"]);
}

#[test]
fn adjustments_are_those_of_the_annotation() {
    let with = |text: &str| {
        let mut resource = resource(json!({}), json!({}));
        resource.annotations_mut().insert(ADJUSTMENTS.to_owned(), text.to_owned());
        let mut problems = Vec::new();
        (collect_adaptive_adjustments(&resource, &mut problems), problems)
    };
    let one = r#"[{"step_number":1,"adjustment_type":"timeout","reason":"slow","timestamp":"2026-01-15T10:00:00Z"}]"#;
    let (adjustments, problems) = with(one);
    assert_eq!(adjustments[0].adjustment_type, "timeout");
    assert!(problems.is_empty());
    assert_eq!(with("null"), (Vec::new(), Vec::new()));
    for malformed in ["", "{}", "[1]", r#"[{"step_number":"one"}]"#, "[{"] {
        let (adjustments, problems) = with(malformed);
        assert!(adjustments.is_empty());
        assert_eq!(problems[0].value.as_deref(), Some(malformed));
        assert!(!problems[0].problem.contains("\"one\""), "{}", problems[0]);
    }
}

#[test]
fn what_is_absent_or_null_is_go_s_zero_value() {
    let null = json!({"phase": null, "completedAt": null, "error": null, "steps": null});
    let execution =
        read(&resource(json!({"remediationRequestRef": null, "steps": null}), null)).unwrap();
    let absent = read(&resource(Value::Null, Value::Null)).unwrap();
    assert_eq!(execution.event, absent.event);
    assert_eq!(absent.event.remediation_id, "");
    assert_eq!(absent.event.workflow_name, "restart-pod");
    assert_eq!(absent.event.effectiveness_score, Some(0.0));
    assert_eq!(absent.event.step_executions, Some(Vec::new()));
}
