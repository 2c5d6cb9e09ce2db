//! `GET /openapi.json`: what the routes take and answer, for programs. Made from the handlers and types themselves.

mod shared;

use std::sync::{Arc, LazyLock};

use audit_producer::Publish;
use audit_schema::event::JSON_SCHEMA;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::OpenApi;

pub(super) use self::shared::{Refusals, Unavailable};
use super::batch::{self, MAX_BATCH_EVENTS};
use super::publish;
use super::routes::{BATCH, EVENT, Gateway};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kubernaut audit gateway",
        description = "Takes the audit events of finished workflows and publishes them to Kafka. An event may be sent \
                       any number of times: its id, its `Idempotency-Key` or its content tells that it is the same one.",
    ),
    paths(publish::publish, batch::publish),
    tags((name = "events", description = "Publishing audit events")),
)]
struct Document;

/// Answers with the document.
pub(super) async fn serve<P: Publish>(State(gateway): State<Arc<Gateway<P>>>) -> impl IntoResponse {
    static OPEN: LazyLock<String> = LazyLock::new(|| document().to_string());
    static GUARDED: LazyLock<String> = LazyLock::new(|| guarded(document()).to_string());
    let text = if gateway.auth.asks() { &GUARDED } else { &OPEN };
    ([(header::CONTENT_TYPE, "application/json")], text.as_str())
}

/// The document of a gateway that tells its callers apart.
fn guarded(mut document: Value) -> Value {
    document["components"]["securitySchemes"] =
        json!({"token": {"type": "http", "scheme": "bearer"}});
    document["security"] = json!([{"token": []}]);
    document
}

/// What utoipa makes of the handlers, and what it cannot know: schemas it only has references to.
fn document() -> Value {
    let mut document = serde_json::to_value(Document::openapi()).expect("it is made of JSON");
    for path in [EVENT, BATCH] {
        document["paths"][path]["post"]["requestBody"]["required"] = json!(true);
    }
    let schemas = &mut document["components"]["schemas"];
    add_event(schemas);
    schemas["Events"] = json!({
        "description": "Events in an array, which is read as a whole or not at all.",
        "type": "array",
        "items": {"$ref": "#/components/schemas/WorkflowExecutionAudit"},
        "minItems": 1,
        "maxItems": MAX_BATCH_EVENTS,
    });
    schemas["Lines"] = json!({
        "description": "Events as JSON, one per line. Blank lines are skipped, and a broken line is a problem of that \
                        line alone.",
        "type": "string",
        "pattern": "[^ \\t\\r\\n]",
    });
    document
}

/// The event's own JSON Schema, with its definitions where OpenAPI has them.
fn add_event(schemas: &mut Value) {
    let schema = JSON_SCHEMA.replace("#/$defs/", "#/components/schemas/");
    let mut event: Value = serde_json::from_str(&schema).expect("its crate's tests read it");
    let definitions = event["$defs"].take();
    for (name, definition) in definitions.as_object().into_iter().flatten() {
        schemas[name] = definition.clone();
    }
    if let Some(event) = event.as_object_mut() {
        event.retain(|name, _| !name.starts_with('$'));
    }
    schemas["WorkflowExecutionAudit"] = event;
}

/// An event as Go's `json.Marshal` writes it when little is known of the workflow.
pub(super) fn sparse_event() -> Value {
    json!({
        "id": "",
        "remediation_id": "rr-1",
        "workflow_name": "restart-pod",
        "workflow_version": "v1",
        "total_steps": 1,
        "steps_completed": 1,
        "steps_failed": 0,
        "total_duration": 45_000_000_000_u64,
        "outcome": "success",
        "effectiveness_score": 0.95,
        "rollbacks_performed": 0,
        "step_executions": null,
        "adaptive_adjustments": null,
        "completed_at": "2025-01-15T10:30:00Z",
        "status": "completed",
    })
}

/// An event of which everything is known.
pub(super) fn full_event() -> Value {
    json!({
        "id": "01946983-4cbb-8a0d-966a-251a971e4ba9",
        "remediation_id": "rr-2",
        "workflow_name": "expand-volume",
        "workflow_version": "v2.3.1",
        "total_steps": 2,
        "steps_completed": 1,
        "steps_failed": 1,
        "total_duration": 93_000_001_999_u64,
        "outcome": "failed",
        "effectiveness_score": 0.35,
        "rollbacks_performed": 1,
        "step_executions": [
            {"step_number": 1, "action": "drain-node", "duration": 1_500_000_000, "status": "completed"},
            {
                "step_number": 2,
                "action": "expand-volume",
                "duration": 91_500_001_999_u64,
                "status": "failed",
                "retries_attempted": 3,
                "error_message": "quota exceeded",
            },
        ],
        "adaptive_adjustments": [
            {"step_number": 2, "adjustment_type": "timeout", "reason": "p95", "timestamp": "2025-01-15T10:29:00Z"},
        ],
        "completed_at": "2025-01-15T12:30:00.123456789+02:00",
        "status": "failed",
        "error_message": "step 2 failed",
        "kubernetes": {"cluster": "prod-eu", "namespace": "payments", "name": "wf-2"},
    })
}

/// Both, one per line.
pub(super) fn lines() -> String {
    format!("{}\n{}\n", sparse_event(), full_event())
}

#[cfg(test)]
mod tests;
