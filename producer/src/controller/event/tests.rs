use serde_json::json;

use super::*;

pub(in crate::controller) fn rules() -> Rules {
    let secrets = SecretNames::new(&["password".to_owned()]);
    Rules { cluster: "tests".to_owned(), shape: None, secrets }
}

pub(in crate::controller) fn resource(status: Value) -> DynamicObject {
    let mut resource: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "steps.kubernaut.ai/v1",
        "kind": "WorkflowExecution",
        "metadata": {
            "name": "restart-pod", "namespace": "payments", "uid": "7a1c3f0e-9b1d-4a57-8a43-2f0f4a1d9c55",
            "creationTimestamp": "2026-01-15T09:00:00Z", "resourceVersion": "17",
        },
        "spec": {
            "remediationRequestRef": {"name": "rr-1"}, "workflowVersion": "v1",
            "steps": [{"action": "a", "parameters": {"password": "s3cret"}}],
        },
    }))
    .unwrap();
    resource.data["status"] = status;
    resource
}

fn completed() -> Value {
    json!({"phase": "completed", "completedAt": "2026-01-15T10:00:00Z", "steps": [{"phase": "completed"}]})
}

fn value(content: &Content) -> Value {
    serde_json::from_slice(content.record.value()).unwrap()
}

/// The whole event, so that no change of it goes unnoticed.
#[test]
fn the_event_is_this() {
    let content = rules().content(resource(completed()), false).unwrap();
    let id = content.record.id();
    assert_eq!(identity::created_at(id), Some(1_768_467_600_000_000));
    assert_eq!(
        value(&content),
        json!({
            "id": id, "remediation_id": "rr-1", "workflow_name": "restart-pod", "workflow_version": "v1",
            "total_steps": 1, "steps_completed": 1, "steps_failed": 0, "total_duration": 3_600_000_000_000_i64,
            "outcome": "success", "effectiveness_score": 1.0, "rollbacks_performed": 0,
            "step_executions": [{"step_number": 0, "action": "", "duration": null, "status": "completed", "retries_attempted": 0}],
            "adaptive_adjustments": [], "completed_at": "2026-01-15T10:00:00Z", "status": "completed",
            "kubernetes": {"cluster": "tests", "namespace": "payments", "name": "restart-pod",
                "uid": "7a1c3f0e-9b1d-4a57-8a43-2f0f4a1d9c55", "apiVersion": "steps.kubernaut.ai/v1"},
        })
    );
    let source = content.record.headers().find(|(name, _)| *name == "ce_source");
    assert_eq!(source, Some(("ce_source", "/clusters/tests/namespaces/payments")));
}

/// Whole events of both shapes: `golden/` has a resource and its event in each file.
#[test]
fn events_are_the_golden_ones() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/controller/event/golden");
    let mut compared = 0;
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let golden: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let resource = serde_json::from_value(golden["resource"].clone()).unwrap();
        let content = rules().content(resource, false).unwrap();
        assert_eq!(content.refusal, None, "{}", path.display());
        assert_eq!(value(&content), golden["event"], "{}", path.display());
        compared += 1;
    }
    assert_eq!(compared, 9);
}

/// Neither of an event nor of a raw resource.
#[test]
fn what_is_no_content_changes_no_record() {
    for status in [completed(), json!({"phase": "completed", "steps": 1})] {
        let plain = rules().content(resource(status.clone()), false).unwrap();
        let mut touched = resource(status);
        touched.metadata.resource_version = Some("99".into());
        touched.metadata.generation = Some(3);
        touched.metadata.finalizers = Some(vec![mark::FINALIZER.into(), "example.org/a".into()]);
        touched.metadata.deletion_timestamp = Some(Time("2026-02-01T00:00:00Z".parse().unwrap()));
        touched.labels_mut().insert("team".into(), "payments".into());
        touched.annotations_mut().insert("audit.kubernaut.ai/published".into(), "{}".into());
        touched.data["status"]["conditions"] = json!([{"type": "Seen"}]);
        assert_eq!(rules().content(touched, false).unwrap().record, plain.record);
    }
}

#[test]
fn the_id_is_that_of_the_resource_in_its_cluster() {
    let id = |rules: &Rules, resource| rules.content(resource, false).unwrap().record.id();
    let failed = resource(json!({"phase": "failed"}));
    assert_eq!(id(&rules(), resource(completed())), id(&rules(), failed));
    let mut other = resource(completed());
    other.metadata.uid = Some("another".into());
    assert_ne!(id(&rules(), resource(completed())), id(&rules(), other));
    let elsewhere = Rules { cluster: "elsewhere".into(), ..rules() };
    assert_ne!(id(&rules(), resource(completed())), id(&elsewhere, resource(completed())));
}

#[test]
fn nothing_is_published_of_what_is_not_at_its_end() {
    for status in
        [json!(null), json!({}), json!({"phase": "executing"}), json!({"phase": "Completing"})]
    {
        assert!(rules().content(resource(status), false).is_none());
    }
    // Its end is known by its time, whatever the phase is called.
    let cancelled = json!({"phase": "cancelled", "completedAt": "2026-01-15T10:00:00Z"});
    let cancelled = rules().content(resource(cancelled), false).unwrap();
    assert_eq!(value(&cancelled)["outcome"], "partial");
}

#[test]
fn deleted_before_its_end_it_is_partial_and_ends_with_the_deletion() {
    let mut deleted = resource(json!({"phase": "executing"}));
    deleted.metadata.deletion_timestamp = Some(Time("2026-01-15T09:00:30Z".parse().unwrap()));
    let event = value(&rules().content(deleted, false).unwrap());
    assert_eq!(event["outcome"], "partial");
    assert_eq!(event["completed_at"], "2026-01-15T09:00:30Z");
    assert_eq!(event["total_duration"], 30_000_000_000_i64);
    let gone = value(&rules().content(resource(json!({"phase": "executing"})), true).unwrap());
    assert_eq!((&gone["outcome"], &gone["completed_at"]), (&json!("partial"), &Value::Null));
}

#[test]
fn an_end_before_the_beginning_is_kept_and_told() {
    let status = json!({"phase": "completed", "completedAt": "2026-01-15T08:59:59Z"});
    let content = rules().content(resource(status), false).unwrap();
    assert_eq!(value(&content)["total_duration"], -1_000_000_000_i64);
    assert_eq!(value(&content)[problem::FIELD][0]["path"], "status");
    assert_eq!(content.problems.len(), 1);
}

#[test]
fn what_cannot_be_read_is_raw_with_the_reason_and_without_secrets() {
    let mut unreadable = resource(json!({"phase": "completed", "steps": "none"}));
    unreadable
        .annotations_mut()
        .insert(APPLIED.to_owned(), "{\"password\": \"s3cret\"}".to_owned());
    unreadable.annotations_mut().insert("note".to_owned(), "kept".to_owned());
    let content = rules().content(unreadable, false).unwrap();
    assert_eq!(content.refusal.as_deref(), Some("invalid type, expected a sequence"));
    let text = String::from_utf8_lossy(content.record.value());
    assert!(text.contains(r#""steps":"none""#) && text.contains("kept"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    let types: Vec<_> = content.record.headers().filter(|(name, _)| *name == "ce_type").collect();
    assert_eq!(types, [("ce_type", audit_schema::topic::CE_TYPE_RAW)]);

    let large = "x".repeat(MAX_EVENT_BYTES);
    let content =
        rules().content(resource(json!({"phase": "failed", "error": large})), false).unwrap();
    assert!(content.refusal.is_some());
    assert_eq!(content.record.value().len(), MAX_EVENT_BYTES);
}

#[test]
fn the_shape_is_told_by_the_fields_unless_it_is_given() {
    let kubernaut = serde_json::from_value(json!({
        "metadata": {"name": "we-1"}, "spec": {"workflowRef": {"workflowName": "w"}}, "status": {"phase": "Completed"},
    }));
    let kubernaut: DynamicObject = kubernaut.unwrap();
    let name = |rules: &Rules| {
        value(&rules.content(kubernaut.clone(), false).unwrap())["workflow_name"].clone()
    };
    assert_eq!(name(&rules()), "w");
    let steps = Rules { shape: Shape::named("steps"), ..rules() };
    assert!(steps.content(kubernaut.clone(), false).is_none(), "its phases are in lower case");

    let neither = serde_json::from_value(
        json!({"metadata": {"name": "x"}, "status": {"phase": "completed"}}),
    );
    let content = rules().content(neither.unwrap(), false).unwrap();
    assert_eq!(content.refusal.as_deref(), Some("it has neither spec.workflowRef nor steps"));
}
