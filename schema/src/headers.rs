//! What a record's headers say: CloudEvents 1.0 in binary mode, or nothing at all.

use uuid::Uuid;

use crate::decode::Event;
use crate::identity;
use crate::problem::{Code, Rejection};
use crate::topic;

/// Media types that begin so are CloudEvents in structured or batched mode.
const STRUCTURED_MODE: &str = "application/cloudevents";

/// The headers of a record that matter to its reading. A header that is absent or has no value is
/// `None`; of a repeated header the last one counts, as in Kafka's own clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordHeaders<'a> {
    /// `ce_specversion`
    pub specversion: Option<&'a [u8]>,
    /// `ce_type`
    pub event_type: Option<&'a [u8]>,
    /// `ce_subject`: the event's id
    pub subject: Option<&'a [u8]>,
    /// `content-type`
    pub content_type: Option<&'a [u8]>,
    /// `traceparent`
    pub traceparent: Option<&'a [u8]>,
}

impl<'a> FromIterator<(&'a str, Option<&'a [u8]>)> for RecordHeaders<'a> {
    fn from_iter<I>(headers: I) -> Self
    where
        I: IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    {
        let mut read = Self::default();
        for (name, value) in headers {
            match name {
                topic::HEADER_SPECVERSION => read.specversion = value,
                topic::HEADER_TYPE => read.event_type = value,
                topic::HEADER_SUBJECT => read.subject = value,
                topic::HEADER_TRACEPARENT => read.traceparent = value,
                _ if name.eq_ignore_ascii_case(topic::HEADER_CONTENT_TYPE) => {
                    read.content_type = value;
                }
                _ => {}
            }
        }
        read
    }
}

impl RecordHeaders<'_> {
    /// Whether the value may be read as an audit event at all. A record without headers may.
    ///
    /// # Errors
    /// [`Code::StructuredMode`], [`Code::UnsupportedSpecVersion`] or [`Code::UnknownEventType`].
    pub fn check(&self) -> Result<(), Rejection> {
        let prefix = self.content_type.and_then(|value| value.get(..STRUCTURED_MODE.len()));
        if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(STRUCTURED_MODE.as_bytes())) {
            return Err(Rejection::new(
                Code::StructuredMode,
                "content-type is a CloudEvent in structured mode; send the event itself as the \
                 value and its attributes as ce_ headers (binary mode)",
            ));
        }
        if self.specversion.is_some_and(|value| value != topic::CE_SPECVERSION.as_bytes()) {
            return Err(Rejection::new(Code::UnsupportedSpecVersion, "ce_specversion must be 1.0"));
        }
        if self.event_type.is_some_and(|value| value != topic::CE_TYPE.as_bytes()) {
            let message = format!("ce_type must be {}", topic::CE_TYPE);
            return Err(Rejection::new(Code::UnknownEventType, &message));
        }
        Ok(())
    }

    /// The event's id: its own, else `ce_subject`, else one made from its content.
    ///
    /// # Errors
    /// What [`check`](Self::check) finds, [`Code::InvalidSubject`] for a subject that is not a UUID
    /// (an empty one counts as none), and [`Code::IdMismatch`] if value and subject disagree.
    pub fn resolve_id(&self, event: &Event<'_>) -> Result<Uuid, Rejection> {
        self.check()?;
        match (event.id, self.subject_id()?) {
            (Some(id), Some(subject)) if id != subject => Err(Rejection::new(
                Code::IdMismatch,
                &format!("the value's id {id} and ce_subject {subject} differ"),
            )),
            (Some(id), _) | (None, Some(id)) => Ok(id),
            (None, None) => {
                Ok(identity::from_content(event.content_hash(), event.columns.completed_at))
            }
        }
    }

    fn subject_id(&self) -> Result<Option<Uuid>, Rejection> {
        let Some(subject) = self.subject.filter(|subject| !subject.is_empty()) else {
            return Ok(None);
        };
        let id = std::str::from_utf8(subject).ok().and_then(identity::parse);
        let rejection =
            || Rejection::new(Code::InvalidSubject, "ce_subject must be a UUID of 36 characters");
        id.map(Some).ok_or_else(rejection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Decoder;

    const ID: &str = "7a1c3f0e-9b1d-4a57-8a43-2f0f4a1d9c55";
    const OTHER: &str = "7a1c3f0e-9b1d-4a57-8a43-2f0f4a1d9c56";

    fn headers<'a>(pairs: &[(&'a str, &'a str)]) -> RecordHeaders<'a> {
        pairs.iter().map(|(name, value)| (*name, Some(value.as_bytes()))).collect()
    }

    fn resolve(id: &str, pairs: &[(&str, &str)]) -> Result<Uuid, Code> {
        let value = format!(
            r#"{{"id":"{id}","remediation_id":"r","workflow_name":"w","workflow_version":"v",
            "outcome":"success","completed_at":"2025-01-15T10:30:00Z"}}"#
        );
        let mut decoder = Decoder::default();
        let event = decoder.decode(value.as_bytes()).unwrap();
        headers(pairs).resolve_id(&event).map_err(|rejection| rejection.code)
    }

    fn uuid(text: &str) -> Result<Uuid, Code> {
        Ok(text.parse().unwrap())
    }

    #[test]
    fn the_value_s_id_comes_first_then_the_subject_then_the_content() {
        assert_eq!(resolve(ID, &[]), uuid(ID));
        assert_eq!(resolve(ID, &[("ce_subject", ID)]), uuid(ID));
        assert_eq!(resolve(ID, &[("ce_subject", &ID.to_uppercase())]), uuid(ID));
        assert_eq!(resolve("", &[("ce_subject", ID)]), uuid(ID));

        let derived = resolve("", &[]).unwrap();
        assert_eq!(identity::created_at(derived), Some(1_736_937_000_000_000));
        assert_eq!(resolve("", &[("ce_subject", "")]), Ok(derived));
        assert_eq!(resolve(&derived.to_string(), &[]), Ok(derived));
    }

    #[test]
    fn a_subject_that_is_no_id_or_another_is_refused() {
        assert_eq!(resolve(ID, &[("ce_subject", OTHER)]), Err(Code::IdMismatch));
        for subject in ["workflow/x", &ID[1..], &ID.replace('-', "")] {
            assert_eq!(resolve(ID, &[("ce_subject", subject)]), Err(Code::InvalidSubject));
            assert_eq!(resolve("", &[("ce_subject", subject)]), Err(Code::InvalidSubject));
        }
        let bytes: RecordHeaders<'_> =
            [("ce_subject", Some(&b"\xFF\xFE"[..]))].into_iter().collect();
        assert_eq!(bytes.subject_id().unwrap_err().code, Code::InvalidSubject);
    }

    #[test]
    fn what_we_send_is_accepted() {
        let pairs = [
            ("ce_specversion", "1.0"),
            ("ce_type", topic::CE_TYPE),
            ("ce_source", "/clusters/prod-eu/namespaces/kubernaut"),
            ("ce_subject", ID),
            ("content-type", topic::CONTENT_TYPE),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            ("x-unknown", "\0"),
        ];
        assert_eq!(headers(&pairs).check(), Ok(()));
        assert_eq!(resolve(ID, &pairs), uuid(ID));
        assert!(headers(&pairs).traceparent.is_some_and(|value| value.starts_with(b"00-0af7")));
    }

    #[test]
    fn other_kinds_of_events_are_refused_each_with_its_code() {
        for (name, value, code) in [
            ("ce_type", "ai.kubernaut.audit.other.v1", Code::UnknownEventType),
            ("ce_type", "", Code::UnknownEventType),
            ("ce_specversion", "0.3", Code::UnsupportedSpecVersion),
            ("content-type", "application/cloudevents+json", Code::StructuredMode),
            ("Content-Type", "Application/CloudEvents+json; charset=utf-8", Code::StructuredMode),
            ("content-type", "application/cloudevents-batch+json", Code::StructuredMode),
        ] {
            let rejection = headers(&[(name, value)]).check().unwrap_err();
            assert_eq!(rejection.code, code, "{name}: {value}");
            assert_eq!(resolve(ID, &[(name, value)]), Err(code));
        }
    }

    #[test]
    fn the_last_of_repeated_headers_counts_and_one_without_value_is_none() {
        assert_eq!(resolve("", &[("ce_subject", OTHER), ("ce_subject", ID)]), uuid(ID));
        let null: RecordHeaders<'_> =
            [("ce_type", None), ("ce_subject", None)].into_iter().collect();
        assert_eq!(null, RecordHeaders::default());
    }
}
