//! From the body to the bytes of each event, as they came: the decoder judges those.

use std::fmt;

use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::MAX_BATCH_EVENTS;
use crate::gateway::problem::Problem;

/// How events are put together in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A JSON array, which is read as a whole or not at all.
    Array,
    /// One event per line: a line that is broken is that line's problem.
    Lines,
}

impl Format {
    /// By the media type, in lower case.
    pub(super) fn of(media_type: &str) -> Result<Self, Problem> {
        match media_type {
            "application/json" => Ok(Self::Array),
            "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Ok(Self::Lines)
            }
            _ => Err(Problem::unsupported_media_type(
                "application/x-ndjson (or application/jsonl, application/x-jsonlines) for one event per line, \
                 application/json for an array",
            )),
        }
    }
}

/// One event of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    /// The line it is on, from 1; an array has none.
    pub(super) line: Option<usize>,
    pub(super) json: &'a [u8],
}

/// The events of the body, in order; at least one.
pub(super) fn split(format: Format, body: &[u8]) -> Result<Vec<Item<'_>>, Problem> {
    let items = match format {
        Format::Array => elements(body)?,
        Format::Lines => lines(body)?,
    };
    if items.is_empty() { Err(Problem::empty_batch()) } else { Ok(items) }
}

fn lines(body: &[u8]) -> Result<Vec<Item<'_>>, Problem> {
    let is_blank = |json: &[u8]| json.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    let mut items = Vec::new();
    for (index, json) in body.split(|byte| *byte == b'\n').enumerate() {
        if is_blank(json) {
            continue;
        }
        if items.len() == MAX_BATCH_EVENTS {
            return Err(Problem::too_many_events());
        }
        // Outside of the event, so that it does not count towards its size.
        let json = json.strip_suffix(b"\r").unwrap_or(json);
        items.push(Item { line: Some(index + 1), json });
    }
    Ok(items)
}

fn elements(body: &[u8]) -> Result<Vec<Item<'_>>, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let mut array = Array { items: Vec::new(), has_more: false };
    let read = deserializer.deserialize_seq(&mut array).and_then(|()| deserializer.end());
    match read {
        Ok(()) => Ok(array.items),
        Err(_) if array.has_more => Err(Problem::too_many_events()),
        Err(error) => Err(Problem::broken_batch(array.items.len(), &error)),
    }
}

/// What of the array was read, also if that ends early.
struct Array<'a> {
    items: Vec<Item<'a>>,
    /// There are more events than a batch may have.
    has_more: bool,
}

impl<'a> Visitor<'a> for &mut Array<'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<&RawValue>()? {
            if self.items.len() == MAX_BATCH_EVENTS {
                self.has_more = true;
                return Err(serde::de::Error::custom("too many events"));
            }
            self.items.push(Item { line: None, json: element.get().as_bytes() });
        }
        Ok(())
    }
}
