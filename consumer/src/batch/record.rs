//! What a record says, or why it cannot become a row.

use audit_schema::decode::{Decoder, Event};
use audit_schema::digest::Digest;
use audit_schema::headers::RecordHeaders;
use audit_schema::identity;
use audit_schema::problem::{Code, Rejection};
use audit_schema::version::Version;
use uuid::Uuid;

use crate::source::RawRecord;

/// A record that was read.
pub struct Decoded<'a> {
    /// The event.
    pub event: Event<'a>,
    /// Its id.
    pub id: Uuid,
    /// Of id and content.
    pub digest: Digest,
    /// Where the record stands in the log.
    pub version: Version,
    /// The time the id carries, else what this record gives for it; microseconds since the Unix epoch.
    pub created_at: i64,
    /// Whether the id carries its time.
    pub dated: bool,
}

/// Reads a record.
///
/// # Errors
/// It is a dead letter, and why.
// An event is some hundred bytes, which each return would copy.
#[inline]
pub fn decode<'a>(decoder: &'a mut Decoder, raw: RawRecord<'a>) -> Result<Decoded<'a>, Rejection> {
    let (event, id) = identify(decoder, raw)?;
    let carried = identity::created_at(id);
    let created_at = carried
        .or(event.columns.completed_at)
        .unwrap_or_else(|| raw.timestamp_ms().saturating_mul(1_000));
    let digest = event.digest(id);
    Ok(Decoded { event, id, digest, version: raw.version(), created_at, dated: carried.is_some() })
}

/// The record's event and its id.
///
/// # Errors
/// As [`decode`].
#[inline]
pub fn identify<'a>(
    decoder: &'a mut Decoder,
    raw: RawRecord<'a>,
) -> Result<(Event<'a>, Uuid), Rejection> {
    if !raw.headers_readable() {
        return Err(Rejection::new(Code::InvalidUtf8, "a header's name is not UTF-8"));
    }
    let headers: RecordHeaders<'_> = raw.headers().collect();
    headers.check()?;
    let value =
        raw.value().ok_or_else(|| Rejection::new(Code::Tombstone, "the record has no value"))?;
    let event = decoder.decode(value)?;
    let id = headers.resolve_id(&event)?;
    Ok((event, id))
}
