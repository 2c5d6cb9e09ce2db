//! Keeps `docs/asyncapi.json` equal to the topic's constants and to the event types it is made from.

mod examples;

use serde_json::{Map, Value, json};

use self::examples::examples;
use crate::generated::assert_up_to_date;
use crate::headers::RecordHeaders;
use crate::{json_schema, topic};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/asyncapi.json");
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

#[test]
fn the_document_in_the_repository_is_up_to_date() {
    assert_up_to_date(FILE, &generated(), "UPDATE_ASYNCAPI");
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
