//! Records such as publishers write, for the document.

use serde_json::{Value, json};

use crate::decode::Decoder;
use crate::event::{Outcome, StepExecutionAudit, WorkflowExecutionAudit};
use crate::headers::RecordHeaders;
use crate::{identity, topic};

pub(super) fn examples() -> Value {
    let completed_at = "2025-01-15T10:30:00Z".parse().expect("it is RFC 3339");
    let id =
        identity::from_resource("prod-eu", "7a1c3f0e-9b1d-4a57-8a43-2f0f4a1d9c55", completed_at);
    let mut full = WorkflowExecutionAudit::new("rr-1", "restart-pod", "v1.2.0", Outcome::Success);
    full.id = Some(id);
    full.total_steps = Some(1);
    full.steps_completed = Some(1);
    full.steps_failed = Some(0);
    full.total_duration = Some(45_000_000_000);
    full.effectiveness_score = Some(0.95);
    full.rollbacks_performed = Some(0);
    full.step_executions = Some(vec![StepExecutionAudit {
        step_number: 1,
        action: "restart".to_owned(),
        duration: Some(44_000_000_000),
        status: "completed".to_owned(),
        ..StepExecutionAudit::default()
    }]);
    full.completed_at = Some(completed_at);
    full.status = Some("completed".to_owned());
    full.extensions.insert(
        "kubernetes".to_owned(),
        json!({"cluster": "prod-eu", "namespace": "payments", "name": "restart-pod-x7k2"}),
    );
    let value = serde_json::to_vec(&full).expect("the event has a JSON form");
    let mut decoder = Decoder::default();
    let digest = decoder.decode(&value).expect("the event is valid").digest(id);
    json!([
        {
            "name": "full",
            "summary": "As the library and the controller publish it",
            "headers": {
                topic::HEADER_SPECVERSION: topic::CE_SPECVERSION,
                topic::HEADER_TYPE: topic::CE_TYPE,
                topic::HEADER_SOURCE: "/clusters/prod-eu/namespaces/payments",
                topic::HEADER_SUBJECT: id,
                topic::HEADER_ID: topic::ce_id(id, &digest),
                topic::HEADER_TIME: "2025-01-15T10:30:00Z",
                topic::HEADER_CONTENT_TYPE: topic::CONTENT_TYPE,
                topic::HEADER_TRACEPARENT: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            },
            "payload": serde_json::to_value(&full).expect("the event has a JSON form"),
        },
        {
            "name": "plain",
            "summary": "The least that is accepted: no headers, no id",
            "headers": {},
            "payload": {
                "id": "",
                "remediation_id": "rr-2",
                "workflow_name": "restart-pod",
                "workflow_version": "v1",
                "outcome": "failed",
            },
        },
    ])
}

#[test]
fn examples_are_events() {
    for example in examples().as_array().unwrap() {
        let value = serde_json::to_vec(&example["payload"]).unwrap();
        let mut decoder = Decoder::default();
        let event = decoder.decode(&value).unwrap();
        let headers: RecordHeaders<'_> = example["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().map(str::as_bytes)))
            .collect();
        let id = headers.resolve_id(&event).unwrap();
        assert!(event.id.is_none_or(|own| own == id));
    }
}
