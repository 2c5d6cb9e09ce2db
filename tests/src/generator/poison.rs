//! Records that must become dead letters, one kind for each reason there is.

use audit_schema::{problem::Code, topic};
use fastrand::Rng;

use super::{
    Event,
    go_json::{Fields, object, string},
};
use crate::kafka::Record;

/// `event`'s record, spoilt in one way.
pub(super) fn record(event: &Event, code: Code, random: &mut Rng) -> Record {
    let record = event.record();
    let spoil = |name, value: &str| with_field(event, name, value);
    let value = match code {
        Code::Tombstone => return Record { value: None, ..record },
        Code::UnknownEventType => {
            return replace_header(record, topic::HEADER_TYPE, "com.example.other");
        }
        Code::UnsupportedSpecVersion => {
            return replace_header(record, topic::HEADER_SPECVERSION, "0.3");
        }
        Code::StructuredMode => {
            let media_type = "application/cloudevents+json; charset=utf-8";
            return replace_header(record, topic::HEADER_CONTENT_TYPE, media_type);
        }
        Code::InvalidSubject => return replace_header(record, topic::HEADER_SUBJECT, "no-uuid"),
        Code::IdMismatch => {
            let other = uuid::Builder::from_random_bytes(random.u128(..).to_ne_bytes()).into_uuid();
            return replace_header(record, topic::HEADER_SUBJECT, &other.to_string());
        }
        Code::TooLarge => spoil("error_message", &string(&"x".repeat(topic::MAX_EVENT_BYTES))),
        Code::InvalidUtf8 => replace_byte(event.value(), b'v', 0xFF),
        Code::InvalidJson => {
            let mut value = event.value();
            value.truncate(value.len() / 2);
            value
        }
        Code::NotAnObject => [b"[", event.value().as_slice(), b"]"].concat(),
        Code::DuplicateKey => {
            let mut fields = fields(event);
            fields.push(("status", string("completed")));
            object(&fields)
        }
        Code::TooDeep => spoil("nested", &format!("{}{}", "[".repeat(100), "]".repeat(100))),
        Code::NulCharacter => spoil("error_message", r#""before\u0000after""#),
        Code::LoneSurrogate => spoil("error_message", r#""half of a pair: \ud83d""#),
        Code::NumberOutOfRange => spoil("number", "1e131071"),
        Code::MissingField => {
            let mut fields = fields(event);
            fields.retain(|(name, _)| *name != "workflow_name");
            object(&fields)
        }
        Code::WrongType => spoil("total_steps", "\"seven\""),
        Code::OutOfRange => spoil("effectiveness_score", "1.5"),
        Code::TooLong => spoil("status", &string(&"s".repeat(51))),
        Code::InvalidOutcome => spoil("outcome", "\"exploded\""),
        Code::InvalidId => spoil("id", "\"execution-17\""),
        Code::InvalidTimestamp => spoil("completed_at", "\"yesterday\""),
        Code::DatabaseRejected => panic!("no record is known that only the database refuses"),
    };
    Record { value: Some(value), ..record }
}

fn fields(event: &Event) -> Fields {
    event.workflow.fields(event.id)
}

/// The value with a field set, be it there or not.
fn with_field(event: &Event, name: &'static str, value: &str) -> Vec<u8> {
    let mut fields = fields(event);
    match fields.iter_mut().find(|(found, _)| *found == name) {
        Some((_, old)) => value.clone_into(old),
        None => fields.push((name, value.to_owned())),
    }
    object(&fields)
}

fn replace_header(mut record: Record, name: &str, value: &str) -> Record {
    record.headers.retain(|(found, _)| found != name);
    record.with_header(name, value)
}

fn replace_byte(mut value: Vec<u8>, old: u8, new: u8) -> Vec<u8> {
    if let Some(byte) = value.iter_mut().rev().find(|byte| **byte == old) {
        *byte = new;
    }
    value
}
