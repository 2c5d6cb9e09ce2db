//! Events byte for byte as Go's `encoding/json` writes the controllers' structs.

use audit_schema::columns::Columns;
use audit_schema::decode::Decoder;
use audit_schema::event::{Outcome, WorkflowExecutionAudit};
use audit_schema::headers::RecordHeaders;
use audit_schema::identity;

/// A finished execution: nanoseconds, nine-digit fractions, an offset, `<`, `>` and `&` escaped.
const FULL: &str = concat!(
    r#"{"id":"","remediation_id":"rem-7f3a","workflow_name":"restart-and-verify","#,
    r#""workflow_version":"v1.4.2","total_steps":3,"steps_completed":2,"steps_failed":1,"#,
    r#""total_duration":93500000999,"outcome":"failed","effectiveness_score":0.6166666666666667,"#,
    r#""rollbacks_performed":1,"step_executions":["#,
    r#"{"step_number":1,"action":"scale_deployment","duration":1500000000,"status":"completed","#,
    r#""retries_attempted":0},"#,
    r#"{"step_number":2,"action":"drain\u003cnode\u003e","duration":92000000999,"#,
    r#""status":"failed","retries_attempted":2,"#,
    r#""error_message":"probe \u0026 \"check\" failed\u2028\tafter 3\u003c4 tries"}],"#,
    r#""adaptive_adjustments":[{"step_number":2,"adjustment_type":"timeout","#,
    r#""reason":"slow node","timestamp":"2025-01-15T12:29:00.123456789+02:00"}],"#,
    r#""completed_at":"2025-01-15T12:30:00.987654321+02:00","status":"failed","#,
    r#""error_message":"step 2: \u003cnil\u003e"}"#,
);

/// What Go writes for a struct in which nobody set anything but the outcome: it has no other way to
/// say "none" than zero values.
const ZERO_VALUES: &str = concat!(
    r#"{"id":"","remediation_id":"","workflow_name":"","workflow_version":"","total_steps":0,"#,
    r#""steps_completed":0,"steps_failed":0,"total_duration":0,"outcome":"partial","#,
    r#""effectiveness_score":0,"rollbacks_performed":0,"step_executions":null,"#,
    r#""adaptive_adjustments":null,"completed_at":"0001-01-01T00:00:00Z","status":""}"#,
);

/// The Go client's own integration test.
const CLIENT_TEST: &str = concat!(
    r#"{"id":"","remediation_id":"","workflow_name":"test-workflow","workflow_version":"v1","#,
    r#""total_steps":3,"steps_completed":3,"steps_failed":0,"total_duration":0,"#,
    r#""outcome":"success","effectiveness_score":0.95,"rollbacks_performed":0,"#,
    r#""step_executions":null,"adaptive_adjustments":null,"#,
    r#""completed_at":"0001-01-01T00:00:00Z","status":""}"#,
);

const ZERO_COLUMNS: Columns<'static> = Columns {
    remediation_id: "",
    workflow_name: "",
    workflow_version: "",
    total_steps: Some(0),
    steps_completed: Some(0),
    steps_failed: Some(0),
    total_duration: Some(0),
    outcome: "partial",
    effectiveness_score: Some(0.0),
    rollbacks_performed: Some(0),
    step_executions: None,
    adaptive_adjustments: None,
    completed_at: None,
    status: Some(""),
    error_message: None,
    extensions: None,
};

#[test]
fn a_finished_execution() {
    let mut decoder = Decoder::default();
    let event = decoder.decode(FULL.as_bytes()).unwrap();
    assert_eq!(event.id, None);
    let json = |from: &str, to: &str| {
        let start = FULL.find(from).unwrap() + from.len();
        &FULL[start..start + FULL[start..].find(to).unwrap()]
    };
    assert_eq!(
        event.columns,
        Columns {
            remediation_id: "rem-7f3a",
            workflow_name: "restart-and-verify",
            workflow_version: "v1.4.2",
            total_steps: Some(3),
            steps_completed: Some(2),
            steps_failed: Some(1),
            total_duration: Some(93_500_000),
            outcome: "failed",
            effectiveness_score: Some(0.616_666_666_666_666_7),
            rollbacks_performed: Some(1),
            step_executions: Some(json("\"step_executions\":", ",\"adaptive")),
            adaptive_adjustments: Some(json("\"adaptive_adjustments\":", ",\"completed_at")),
            completed_at: Some(1_736_937_000_987_654),
            status: Some("failed"),
            error_message: Some("step 2: <nil>"),
            extensions: None,
        }
    );
    let steps = [("scale_deployment", "completed"), ("drain<node>", "failed")];
    assert_eq!(event.steps().collect::<Vec<_>>(), steps);
}

#[test]
fn zero_values() {
    let mut decoder = Decoder::default();
    let event = decoder.decode(ZERO_VALUES.as_bytes()).unwrap();
    assert_eq!(event.id, None);
    assert_eq!(event.columns, ZERO_COLUMNS);
    assert_eq!(event.steps().len(), 0);
}

#[test]
fn the_event_of_the_clients_integration_test() {
    let mut decoder = Decoder::default();
    let event = decoder.decode(CLIENT_TEST.as_bytes()).unwrap();
    let expected = Columns {
        workflow_name: "test-workflow",
        workflow_version: "v1",
        total_steps: Some(3),
        steps_completed: Some(3),
        outcome: "success",
        effectiveness_score: Some(0.95),
        ..ZERO_COLUMNS
    };
    assert_eq!(event.columns, expected);

    let id = RecordHeaders::default().resolve_id(&event).unwrap();
    assert_eq!(identity::created_at(id), None, "an undated event has an undated id");
}

#[test]
fn empty_slices_are_not_nil_slices() {
    let empty = ZERO_VALUES.replace("\"step_executions\":null", "\"step_executions\":[]");
    let mut decoder = Decoder::default();
    let nil = decoder.decode(ZERO_VALUES.as_bytes()).unwrap().content_hash();
    let event = decoder.decode(empty.as_bytes()).unwrap();
    assert_eq!(event.columns.step_executions, Some("[]"));
    assert_ne!(event.content_hash(), nil);
}

#[test]
fn a_given_id_is_kept_in_any_case() {
    let given = "7A1C3F0E-9b1d-4a57-8a43-2f0f4a1d9c55";
    let value = ZERO_VALUES.replace("\"id\":\"\"", &format!("\"id\":\"{given}\""));
    let mut decoder = Decoder::default();
    assert_eq!(decoder.decode(value.as_bytes()).unwrap().id, given.parse().ok());
}

#[test]
fn the_owned_type_reads_what_go_writes() {
    let full: WorkflowExecutionAudit = serde_json::from_str(FULL).unwrap();
    assert_eq!(full.id, None);
    assert_eq!(full.outcome, Outcome::Failed);
    assert_eq!(full.total_duration, Some(93_500_000_999));
    assert_eq!(full.step_executions.unwrap()[1].action, "drain<node>");
    assert!(full.extensions.is_empty());

    let zero: WorkflowExecutionAudit = serde_json::from_str(ZERO_VALUES).unwrap();
    assert_eq!(zero.completed_at, None);
    assert_eq!(zero.step_executions, None);
    assert_eq!(zero.status.as_deref(), Some(""));
}
