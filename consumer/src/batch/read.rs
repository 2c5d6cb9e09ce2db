//! What makes a record an event, or why it is none.

use audit_schema::decode::{Decoder, Event};
use audit_schema::headers::RecordHeaders;
use audit_schema::problem::{Code, Rejection};
use uuid::Uuid;

use crate::source::RawRecord;

/// The record's event and its id.
///
/// # Errors
/// Why the record is a dead letter.
pub fn read<'a>(
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
