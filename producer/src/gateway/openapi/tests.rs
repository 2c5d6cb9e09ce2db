//! The document says what the gateway does. Whether it is OpenAPI, and true, a fuzzer checks end to end.

use audit_producer::{Identity, Record};

use super::*;

/// Every `$ref` in the value.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(elements) => elements.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.contains(&"#/components/schemas/WorkflowExecutionAudit"));
    for reference in found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
}

#[test]
fn the_event_is_described_by_its_own_schema() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let event: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
    let required = &schemas["WorkflowExecutionAudit"]["required"];
    assert_eq!(required, &event["required"]);
    let definitions = event["$defs"].as_object().unwrap();
    assert_eq!(schemas["Outcome"], definitions["Outcome"]);
    let answers = serde_json::to_value(Document::openapi()).unwrap();
    for name in answers["components"]["schemas"].as_object().unwrap().keys() {
        assert!(!definitions.contains_key(name), "{name} would be replaced by the event's");
    }
}

#[test]
fn examples_are_valid_events() {
    for event in [sparse_event(), full_event()] {
        let json = event.to_string();
        Record::from_json(json.as_bytes(), Identity::Content, "/test").unwrap();
    }
    assert_eq!(lines().lines().count(), 2);
}
