//! Keeps `workflow-execution-audit.schema.json` equal to the types it is made from.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::decode::Decoder;
use crate::event::WorkflowExecutionAudit;
use crate::generated::assert_up_to_date;
use crate::topic::CE_TYPE;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/workflow-execution-audit.schema.json");

/// Go writes an id that nobody set as an empty string.
pub(crate) fn id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"anyOf": [
        {"type": "string", "format": "uuid", "pattern": UUID},
        {"type": "string", "maxLength": 0},
        {"type": "null"},
    ]})
}

pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "null"], "format": "date-time", "pattern": RFC_3339})
}

/// Strings that PostgreSQL can store.
const WITHOUT_NUL: &str = r"^[^\u0000]*$";

/// `format` is a hint only to many validators, and `uuid` may be without hyphens.
const UUID: &str = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";

/// All of it but the number of days in a month.
const RFC_3339: &str = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\
    [Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?\
    ([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

pub(crate) fn generated() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        // They describe the owned types, not events.
        settings.transforms.push(Box::new(RecursiveTransform(|schema: &mut Schema| {
            schema.remove("default");
        })));
    });
    let schema = settings.into_generator().into_root_schema_for::<WorkflowExecutionAudit>();
    let mut schema = schema.to_value();
    limit_integers(&mut schema);
    schema["$defs"]["Value"] = json!({
        "description": "Any value that PostgreSQL can store.",
        "type": ["null", "boolean", "number", "string", "array", "object"],
        "items": {"$ref": "#/$defs/Value"},
        "additionalProperties": {"$ref": "#/$defs/Value"},
    });
    limit_strings(&mut schema);
    schema["$id"] = json!(format!("urn:{CE_TYPE}"));
    schema
}

/// Keeps U+0000 out of every string and every key, those of unknown fields included.
fn limit_strings(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return schema.as_array_mut().into_iter().flatten().for_each(limit_strings);
    };
    let is = |object: &Map<String, Value>, name: &str| match object.get("type") {
        Some(Value::String(kind)) => kind == name,
        Some(Value::Array(kinds)) => kinds.contains(&json!(name)),
        _ => false,
    };
    if is(object, "string") && !object.contains_key("const") {
        object.entry("pattern").or_insert(json!(WITHOUT_NUL));
    }
    if is(object, "object") {
        object.insert("propertyNames".into(), json!({"pattern": WITHOUT_NUL}));
        object.insert("additionalProperties".into(), json!({"$ref": "#/$defs/Value"}));
    }
    object.values_mut().for_each(limit_strings);
}

/// Says as minimum and maximum what `format: int32` only hints at.
fn limit_integers(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return schema.as_array_mut().into_iter().flatten().for_each(limit_integers);
    };
    let limits = match object.get("format").and_then(Value::as_str) {
        Some("int32") => Some((json!(i32::MIN), json!(i32::MAX))),
        Some("int64") => Some((json!(i64::MIN), json!(i64::MAX))),
        _ => None,
    };
    if let Some((minimum, maximum)) = limits {
        object.entry("minimum").or_insert(minimum);
        object.entry("maximum").or_insert(maximum);
    }
    object.values_mut().for_each(limit_integers);
}

#[test]
fn the_schema_in_the_repository_is_up_to_date() {
    assert_up_to_date(FILE, &generated(), "UPDATE_JSON_SCHEMA");
}

/// The schema says the limits that the decoder enforces, no more and no less.
#[test]
fn limits_are_those_of_the_decoder() {
    let schema = generated();
    let smallest: Map<String, Value> = serde_json::from_value(json!({
        "remediation_id": "", "workflow_name": "", "workflow_version": "", "outcome": "success",
    }))
    .unwrap();
    let accepts = |name: &str, value: Value| {
        let mut event = smallest.clone();
        event.insert(name.into(), value);
        Decoder::default().decode(&serde_json::to_vec(&event).unwrap()).is_ok()
    };

    let required: Vec<&str> =
        schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for name in smallest.keys() {
        assert!(required.contains(&name.as_str()), "{name}");
    }
    assert_eq!(required.len(), smallest.len());

    for record in ["StepExecutionAudit", "AdaptiveAdjustment"] {
        for (name, property) in schema["$defs"][record]["properties"].as_object().unwrap() {
            assert!(property["type"].as_array().unwrap().contains(&json!("null")), "{name}");
        }
    }
    for (name, property) in schema["properties"].as_object().unwrap() {
        if let Some(length) = property["maxLength"].as_u64() {
            let length = usize::try_from(length).unwrap();
            assert!(accepts(name, json!("é".repeat(length))), "{name}");
            assert!(!accepts(name, json!("é".repeat(length + 1))), "{name}");
        }
        if let (Some(minimum), Some(maximum)) =
            (property["minimum"].as_f64(), property["maximum"].as_f64())
        {
            let integer = property["format"] != "double";
            let (min, max) = (&property["minimum"], &property["maximum"]);
            assert!(accepts(name, if integer { min.clone() } else { json!(minimum) }), "{name}");
            assert!(accepts(name, if integer { max.clone() } else { json!(maximum) }), "{name}");
            assert!(!accepts(name, json!(minimum - 4096.0)), "{name}");
            assert!(!accepts(name, json!(maximum + 4096.0)), "{name}");
        }
        let nullable =
            property["type"].as_array().is_some_and(|types| types.contains(&json!("null")))
                || property["anyOf"]
                    .as_array()
                    .is_some_and(|any| any.contains(&json!({"type": "null"})));
        assert_eq!(accepts(name, Value::Null), nullable, "{name}: {property}");
    }
}
