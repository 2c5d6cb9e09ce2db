//! Keeps `docs/asyncapi.json` equal to the topic's constants and to the event types it is made from.

use serde_json::{Map, Value, json};

use crate::decode::Decoder;
use crate::event::{Outcome, StepExecutionAudit, WorkflowExecutionAudit};
use crate::headers::RecordHeaders;
use crate::{identity, json_schema, topic};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/asyncapi.json");
const UPDATE: &str = "UPDATE_ASYNCAPI";
const BINDING: &str = "0.5.0";
/// What `topic create` makes unless told otherwise.
const PARTITIONS: usize = 12;
const REPLICAS: usize = 3;
const EVENT: &str = "WorkflowExecutionAudit";

fn generated() -> Value {
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kubernaut audit events",
            // Of the contract, which the names of topic and type end in; not of a release.
            "version": "1.0.0",
            "description": "One event for each finished workflow execution. Publish it with any Kafka client, with \
                the library audit-producer, or over HTTP through its gateway; audit-consumer stores it exactly once.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": topic::CONTENT_TYPE,
        "servers": servers(),
        "channels": {"workflowExecution": channel()},
        "operations": operations(),
        "components": {
            "messages": {"workflowExecution": message()},
            "schemas": schemas(),
            "securitySchemes": security_schemes(),
        },
    })
}

fn servers() -> Value {
    let variables = json!({"broker": {
        "default": "kafka:9092",
        "description": "Host and port of a broker to start from.",
    }});
    let scheme = |name| json!({"$ref": format!("#/components/securitySchemes/{name}")});
    json!({
        "plaintext": {
            "host": "{broker}",
            "protocol": "kafka",
            "description": "Without encryption: inside of a trusted network.",
            "variables": variables,
        },
        "tls": {
            "host": "{broker}",
            "protocol": "kafka-secure",
            "description": "With TLS, and a client certificate where the brokers ask for one.",
            "variables": variables,
            "security": [scheme("clientCertificate")],
        },
        "saslTls": {
            "host": "{broker}",
            "protocol": "kafka-secure",
            "description": "With TLS and a name and password (SASL/SCRAM).",
            "variables": variables,
            "security": [scheme("scramSha512"), scheme("scramSha256")],
        },
    })
}

fn security_schemes() -> Value {
    json!({
        "clientCertificate": {"type": "X509", "description": "security.protocol=SSL"},
        "scramSha512": {
            "type": "scramSha512",
            "description": "security.protocol=SASL_SSL, sasl.mechanism=SCRAM-SHA-512",
        },
        "scramSha256": {
            "type": "scramSha256",
            "description": "security.protocol=SASL_SSL, sasl.mechanism=SCRAM-SHA-256",
        },
    })
}

fn channel() -> Value {
    let settings: Map<String, Value> = topic::required_settings(REPLICAS)
        .into_iter()
        .map(|setting| {
            let value = match (setting.name, setting.value) {
                ("cleanup.policy", policy) => json!([policy]),
                (_, text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
            };
            (setting.name.to_owned(), value)
        })
        .collect();
    json!({
        "address": topic::TOPIC,
        "title": "Finished workflow executions",
        "description": "Keyed by the event's id, with the partitioner of the Java client (librdkafka: \
            murmur2_random), so that all contents of an id are in one partition, in order. As many consumers as there \
            are partitions can share the work; the number may be raised later: a replay finds what it stored. \
            `audit-producer topic create` makes the topic, `topic check` compares it.",
        "messages": {"workflowExecution": {"$ref": "#/components/messages/workflowExecution"}},
        "bindings": {"kafka": {
            "topic": topic::TOPIC,
            "partitions": PARTITIONS,
            "replicas": REPLICAS,
            "topicConfiguration": settings,
            "bindingVersion": BINDING,
        }},
    })
}

fn operations() -> Value {
    let operation = |action: &str, title: &str, description: &str| {
        json!({
            "action": action,
            "title": title,
            "description": description,
            "channel": {"$ref": "#/channels/workflowExecution"},
            "messages": [{"$ref": "#/channels/workflowExecution/messages/workflowExecution"}],
        })
    };
    let mut receive = operation(
        "receive",
        "Store finished workflow executions",
        "Every record may come more than once; an id with the same content is the same event. A record that cannot be \
         stored becomes a dead letter and holds up nothing.",
    );
    receive["bindings"] = json!({"kafka": {
        "groupId": {"type": "string", "default": "kubernaut-audit"},
        "bindingVersion": BINDING,
    }});
    json!({
        "publishWorkflowExecution": operation(
            "send",
            "Publish a finished workflow execution",
            "With acks=all, and again until it is acknowledged: repeats are harmless, because the id is kept or made \
             from the content.",
        ),
        "storeWorkflowExecution": receive,
    })
}

fn message() -> Value {
    json!({
        "name": topic::CE_TYPE,
        "title": "A workflow execution has finished",
        "summary": "A CloudEvents 1.0 record in binary mode; a plain JSON record without headers is accepted as well.",
        "contentType": topic::CONTENT_TYPE,
        "correlationId": {
            "location": format!("$message.header#/{}", topic::HEADER_TRACEPARENT),
            "description": "The trace that the event is part of.",
        },
        "headers": headers(),
        "payload": {"$ref": format!("#/components/schemas/{EVENT}")},
        "bindings": {"kafka": {
            "key": {
                "type": "string",
                "format": "uuid",
                "minLength": 36,
                "maxLength": 36,
                "description": "The event's id in its hyphenated form.",
            },
            "bindingVersion": BINDING,
        }},
        "examples": examples(),
    })
}

/// None of them is required: a record may come without headers.
fn headers() -> Value {
    json!({
        "type": "object",
        "properties": {
            topic::HEADER_SPECVERSION: {"type": "string", "const": topic::CE_SPECVERSION},
            topic::HEADER_TYPE: {"type": "string", "const": topic::CE_TYPE},
            topic::HEADER_SOURCE: {
                "type": "string",
                "format": "uri-reference",
                "minLength": 1,
                "description": "Where the event was made, such as /clusters/NAME/namespaces/NS.",
            },
            topic::HEADER_SUBJECT: {
                "type": "string",
                "format": "uuid",
                "description": "The event's id. Must not differ from the value's.",
            },
            topic::HEADER_ID: {
                "type": "string",
                "pattern": "^[0-9a-f-]{36}\\.[0-9a-f]{16}$",
                "description": "The event's id and the start of its content's digest.",
            },
            topic::HEADER_TIME: {
                "type": "string",
                "format": "date-time",
                "description": "When the execution was completed.",
            },
            topic::HEADER_CONTENT_TYPE: {"type": "string", "const": topic::CONTENT_TYPE},
            topic::HEADER_TRACEPARENT: {
                "type": "string",
                "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}",
                "description": "W3C trace context.",
            },
        },
    })
}

/// The event's JSON Schema, with its definitions where an AsyncAPI document has them.
fn schemas() -> Value {
    let mut event = json_schema::generated();
    let root = event.as_object_mut().expect("a schema is an object");
    // They name the file the schema is kept in.
    root.remove("$schema");
    root.remove("$id");
    let mut schemas = Map::new();
    let definitions = root.remove("$defs").unwrap_or_default();
    schemas.insert(EVENT.to_owned(), event);
    schemas.extend(definitions.as_object().cloned().unwrap_or_default());
    let mut schemas = Value::Object(schemas);
    move_references(&mut schemas);
    schemas
}

fn move_references(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref") {
                *target = target.replace("#/$defs/", "#/components/schemas/");
            }
            members.values_mut().for_each(move_references);
        }
        Value::Array(elements) => elements.iter_mut().for_each(move_references),
        _ => {}
    }
}

fn examples() -> Value {
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
fn the_document_in_the_repository_is_up_to_date() {
    let generated = generated();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(FILE, serde_json::to_string_pretty(&generated).unwrap() + "\n").unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        serde_json::from_str::<Value>(&kept).is_ok_and(|kept| kept == generated),
        "{FILE} differs from the topic's contract; if that is meant, run `{UPDATE}=1 cargo test -p audit-schema \
         asyncapi` and read the diff",
    );
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

/// Headers that the decoder reads are those the document tells of, by the same names.
#[test]
fn documented_headers_are_read() {
    let headers = headers();
    let named = headers["properties"].as_object().unwrap();
    let read: RecordHeaders<'_> =
        named.keys().map(|name| (name.as_str(), Some(name.as_bytes()))).collect();
    let RecordHeaders { specversion, event_type, subject, content_type, traceparent } = read;
    for header in [specversion, event_type, subject, content_type, traceparent] {
        assert!(header.is_some());
    }
}
