//! What goes on the wire for one event: key, value, headers.

use std::cell::RefCell;

use audit_schema::decode::{Decoder, Event};
use audit_schema::digest::Digest;
use audit_schema::event::WorkflowExecutionAudit;
use audit_schema::problem::{Code, Problem, Rejection};
use audit_schema::{identity, topic};
use chrono::{DateTime, SecondsFormat};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::traceparent::TraceParent;

thread_local! {
    /// A decoder keeps its scratch memory; there is no sense in making one for each event.
    static DECODER: RefCell<Decoder> = RefCell::default();
}

/// What identifies an event that comes without an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity<'a> {
    /// Its whole content: the same content published twice is one event.
    Content,
    /// A key its sender chose (HTTP's `Idempotency-Key`), scoped by the source: what is sent twice under one key is
    /// one event, even if its content differs.
    Key(&'a str),
}

/// One valid event, encoded, with the id it is stored under; or, made by [`raw`](Self::raw), what could not be one.
///
/// The key is the id in its 36-character form, so that every version of an event lands in the same partition; the
/// headers are those of a CloudEvents 1.0 record in binary mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    id: Uuid,
    value: Vec<u8>,
    digest: Digest,
    ce_type: &'static str,
    source: String,
    /// It begins with the id as text, which is the record's key and the CloudEvent's subject.
    ce_id: String,
    /// RFC 3339, of an event that says when it was completed.
    time: Option<String>,
    traceparent: Option<TraceParent>,
}

impl Record {
    /// Encodes an event. An event without an id gets the one its content means.
    ///
    /// # Errors
    /// [`Rejection`], naming each field, for an event that could not be stored.
    pub fn from_event(event: &WorkflowExecutionAudit, source: &str) -> Result<Self, Rejection> {
        // JSON has no such numbers: serde_json would write null, and the score would be lost without a word.
        if event.effectiveness_score.is_some_and(|score| !score.is_finite()) {
            return Err(Problem::new(
                Code::OutOfRange,
                "effectiveness_score",
                "must be from 0 to 1",
                0,
            )
            .into());
        }
        let json = serde_json::to_vec(event).map_err(|error| {
            Rejection::new(Code::InvalidJson, &format!("cannot be encoded: {error}"))
        })?;
        Self::from_json(&json, Identity::Content, source)
    }

    /// Takes an event as it came, such as Go's `json.Marshal` writes it (`"id":""` included).
    ///
    /// The bytes stay as they are, unknown fields too; only a missing id is written into them.
    ///
    /// # Errors
    /// [`Rejection`], naming each field, for an event that could not be stored.
    pub fn from_json(json: &[u8], identity: Identity<'_>, source: &str) -> Result<Self, Rejection> {
        DECODER.with_borrow_mut(|decoder| {
            let event = decoder.decode(json)?;
            let id = event.id.unwrap_or_else(|| make_id(&event, identity, source));
            let value =
                if event.id.is_some() { json.to_vec() } else { event.encode_with_id(id)? };
            let digest = event.digest(id);
            Ok(Self {
                id,
                value,
                digest,
                ce_type: topic::CE_TYPE,
                source: source.to_owned(),
                ce_id: topic::ce_id(id, &digest),
                time: ce_time(&event),
                traceparent: None,
            })
        })
    }

    /// What cannot be made an event, so that it is kept all the same: the first `limit` bytes of it, under a
    /// `ce_type` of its own ([`CE_TYPE_RAW`](topic::CE_TYPE_RAW)), by which consumers take it for a dead letter.
    #[must_use]
    pub fn raw(id: Uuid, value: &[u8], limit: usize, source: &str) -> Self {
        let value = value[..value.len().min(limit)].to_vec();
        let digest = Digest(Sha256::digest(&value).into());
        Self {
            id,
            ce_id: topic::ce_id(id, &digest),
            value,
            digest,
            ce_type: topic::CE_TYPE_RAW,
            source: source.to_owned(),
            time: None,
            traceparent: None,
        }
    }

    /// The [`raw`](Self::raw) record of the first `limit` bytes of this one's value.
    #[must_use]
    pub fn cut(&self, limit: usize) -> Self {
        Self::raw(self.id, &self.value, limit, &self.source)
    }

    /// Carries a trace on to whoever consumes the record.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: &TraceParent) -> Self {
        self.traceparent = Some(traceparent.clone());
        self
    }

    /// The id the event is stored under.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The id in its 36-character form.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.ce_id[..Hyphenated::LENGTH]
    }

    /// The digest of the content: that of the stored row, or of a [`raw`](Self::raw) value.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The event's JSON, id included.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Names and values of the headers.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let always = [
            (topic::HEADER_SPECVERSION, topic::CE_SPECVERSION),
            (topic::HEADER_TYPE, self.ce_type),
            (topic::HEADER_SOURCE, &self.source),
            (topic::HEADER_SUBJECT, self.key()),
            (topic::HEADER_ID, &self.ce_id),
            (topic::HEADER_CONTENT_TYPE, topic::CONTENT_TYPE),
        ];
        let time = self.time.as_deref().map(|time| (topic::HEADER_TIME, time));
        let traceparent = self.traceparent.as_ref().map(TraceParent::as_str);
        let traceparent = traceparent.map(|value| (topic::HEADER_TRACEPARENT, value));
        always.into_iter().chain(time).chain(traceparent)
    }

    /// What the record costs the queue, in bytes: key, value and headers.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers: usize = self.headers().map(|(name, value)| name.len() + value.len()).sum();
        self.value.len() + headers + self.key().len()
    }
}

fn make_id(event: &Event<'_>, identity: Identity<'_>, source: &str) -> Uuid {
    let completed_at = event.columns.completed_at;
    match identity {
        Identity::Content => identity::from_content(event.content_hash(), completed_at),
        Identity::Key(key) => identity::from_key(source, key, completed_at),
    }
}

/// Optional in CloudEvents. The clock is no substitute: the same event published again must be the same record.
fn ce_time(event: &Event<'_>) -> Option<String> {
    let time = event.columns.completed_at.and_then(DateTime::from_timestamp_micros)?;
    Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

#[cfg(test)]
mod tests {
    use audit_schema::event::Outcome;

    use super::*;

    const SOURCE: &str = "/clusters/test/namespaces/default";

    /// What the Go client sends for an event with the fewest fields set.
    const FROM_GO: &str = r#"{"id":"","remediation_id":"","workflow_name":"test-workflow","workflow_version":"v1","total_steps":3,"steps_completed":3,"steps_failed":0,"total_duration":0,"outcome":"success","effectiveness_score":0.95,"rollbacks_performed":0,"step_executions":null,"adaptive_adjustments":null,"completed_at":"0001-01-01T00:00:00Z","status":""}"#;

    fn json(json: &str, identity: Identity<'_>) -> Record {
        Record::from_json(json.as_bytes(), identity, SOURCE).unwrap()
    }

    fn header(record: &Record, name: &str) -> Option<String> {
        record.headers().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    }

    #[test]
    fn an_empty_id_is_filled_in_and_nothing_else_changes() {
        let record = json(FROM_GO, Identity::Content);
        let expected = FROM_GO.replacen(r#""id":"""#, &format!(r#""id":"{}""#, record.id()), 1);
        assert_eq!(String::from_utf8_lossy(record.value()), expected);
        assert_eq!(json(FROM_GO, Identity::Content), record, "the same content is the same event");
        assert_eq!(json(&expected, Identity::Content).id(), record.id());
    }

    #[test]
    fn a_given_id_is_kept_with_its_bytes() {
        let given =
            FROM_GO.replacen(r#""id":"""#, r#""id":"6BA7B810-9DAD-11D1-80B4-00C04FD430C8""#, 1);
        let record = json(&given, Identity::Key("ignored"));
        assert_eq!(record.id().to_string(), "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
        assert_eq!(record.value(), given.as_bytes());
    }

    #[test]
    fn a_key_identifies_whatever_the_content() {
        let other = FROM_GO.replace("0.95", "0.5");
        assert_eq!(json(FROM_GO, Identity::Key("a")).id(), json(&other, Identity::Key("a")).id());
        assert_ne!(json(FROM_GO, Identity::Key("a")).id(), json(FROM_GO, Identity::Key("b")).id());
        assert_ne!(json(FROM_GO, Identity::Content).id(), json(&other, Identity::Content).id());
    }

    #[test]
    fn headers_are_those_of_a_cloud_event() {
        let dated = FROM_GO.replace("0001-01-01T00:00:00Z", "2025-01-15T10:30:00.123456789+02:00");
        let record = json(&dated, Identity::Content);
        assert_eq!(header(&record, "ce_specversion").as_deref(), Some("1.0"));
        assert_eq!(header(&record, "ce_type").as_deref(), Some(topic::CE_TYPE));
        assert_eq!(header(&record, "ce_source").as_deref(), Some(SOURCE));
        assert_eq!(header(&record, "ce_subject"), Some(record.id().to_string()));
        assert_eq!(record.key(), record.id().to_string());
        assert_eq!(header(&record, "ce_time").as_deref(), Some("2025-01-15T08:30:00.123456Z"));
        assert_eq!(header(&record, "content-type").as_deref(), Some("application/json"));
        let ce_id = header(&record, "ce_id").unwrap();
        assert!(
            ce_id.starts_with(&format!("{}.", record.id())) && ce_id.len() == 36 + 1 + 16,
            "{ce_id}"
        );
        assert_eq!(header(&json(FROM_GO, Identity::Content), "ce_time"), None);
    }

    #[test]
    fn a_trace_is_carried_once() {
        let trace: TraceParent =
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
        let record =
            json(FROM_GO, Identity::Content).with_traceparent(&trace).with_traceparent(&trace);
        assert_eq!(record.headers().filter(|(name, _)| *name == "traceparent").count(), 1);
    }

    #[test]
    fn typed_events_are_the_same_records() {
        let mut event = WorkflowExecutionAudit::new("rem-1", "restart-pod", "v1", Outcome::Success);
        event.effectiveness_score = Some(0.5);
        event.extensions.insert("kubernetes".into(), serde_json::json!({"uid": "1"}));
        let record = Record::from_event(&event, SOURCE).unwrap();
        let read: WorkflowExecutionAudit = serde_json::from_slice(record.value()).unwrap();
        assert_eq!(read.id, Some(record.id()));
        assert_eq!(WorkflowExecutionAudit { id: None, ..read }, event);
    }

    #[test]
    fn a_score_that_json_cannot_hold_is_refused_rather_than_lost() {
        let mut event = WorkflowExecutionAudit::new("rem-1", "restart-pod", "v1", Outcome::Success);
        event.effectiveness_score = Some(f64::NAN);
        let rejection = Record::from_event(&event, SOURCE).unwrap_err();
        assert_eq!(rejection.problems[0].path, "effectiveness_score");
    }

    #[test]
    fn the_id_counts_towards_the_size() {
        let without = FROM_GO.replacen(r#""id":"","#, "", 1);
        let padding = "x".repeat(topic::MAX_EVENT_BYTES - without.len());
        let full = without.replace(r#""status":"""#, &format!(r#""status":"","note":"{padding}""#));
        let rejection = Record::from_json(full.as_bytes(), Identity::Content, SOURCE).unwrap_err();
        assert_eq!(rejection.code, Code::TooLarge);
    }
}
