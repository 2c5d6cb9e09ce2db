//! From bytes to columns in one pass: grammar, rules, canonical form and digest.
//!
//! ```text
//! scan        arrays, objects, where a problem is
//! ├ string    escapes, what PostgreSQL cannot store
//! ├ number    grammar, limits, one spelling per value
//! canonical   any value: its canonical form, duplicate keys
//! typed       the rules of single values
//! records     step_executions, adaptive_adjustments
//! fields      the event's fields → columns
//! row         columns as PostgreSQL gives them back → canonical form
//! ```
//!
//! serde cannot do it: it drops duplicate keys, rounds numbers, and builds a tree for every event;
//! and PostgreSQL accepts documents that it cannot give back.

mod canonical;
mod fields;
mod number;
mod records;
mod row;
mod scan;
mod scratch;
mod string;
mod typed;
mod value;

use std::fmt;

use uuid::Uuid;

use self::fields::Fields;
pub use self::row::Canonicalizer;
use self::scan::{NumberLimits, Scanner};
use self::scratch::{Scratch, Span, Step};
use crate::columns::Columns;
use crate::digest::{CanonicalColumns, ContentHash, Digest};
use crate::problem::{Code, Rejection};
use crate::topic::MAX_EVENT_BYTES;

/// Reads events. It owns the buffers for this and reuses them: once it has seen the largest event,
/// reading valid events allocates nothing. One per thread.
///
/// ```
/// use audit_schema::decode::Decoder;
///
/// let value = br#"{"id":"","remediation_id":"rem-1","workflow_name":"restart-pod",
///     "workflow_version":"v1","outcome":"success","total_duration":1500000000,
///     "kubernetes":{"cluster":"prod-eu"}}"#;
///
/// let mut decoder = Decoder::default();
/// let event = decoder.decode(value)?;
/// assert_eq!(event.id, None);
/// assert_eq!(event.columns.workflow_name, "restart-pod");
/// assert_eq!(event.columns.total_duration, Some(1_500_000));
/// assert_eq!(event.columns.extensions, Some(r#"{"kubernetes":{"cluster":"prod-eu"}}"#));
/// # Ok::<(), audit_schema::problem::Rejection>(())
/// ```
#[derive(Debug, Default)]
pub struct Decoder {
    scratch: Scratch,
}

impl Decoder {
    /// Reads and checks one event.
    ///
    /// # Errors
    /// All that is wrong with the event, as far as it could be read.
    ///
    /// ```
    /// use audit_schema::decode::Decoder;
    /// use audit_schema::problem::Code;
    ///
    /// let value = br#"{"remediation_id":"r","workflow_name":"w","workflow_version":"v1",
    ///     "outcome":"done","step_executions":[{"duration":"3s"}]}"#;
    /// let rejection = Decoder::default().decode(value).unwrap_err();
    ///
    /// assert_eq!(rejection.code, Code::InvalidOutcome);
    /// assert_eq!(rejection.problems[1].path, "step_executions[0].duration");
    /// ```
    pub fn decode<'a>(&'a mut self, value: &'a [u8]) -> Result<Event<'a>, Rejection> {
        check_size(value.len())?;
        let input = std::str::from_utf8(value).map_err(|error| {
            let message = format!("is not UTF-8 from byte {} on", error.valid_up_to());
            Rejection::new(Code::InvalidUtf8, &message)
        })?;

        self.scratch.clear();
        let mut scanner = Scanner::new(input, NumberLimits::EVENT, &mut self.scratch);
        let fields = Fields::read(&mut scanner);
        scanner.finish()?;
        // Without a recorded problem nothing stopped the scan.
        let fields = fields.unwrap_or_default();

        let scratch = &self.scratch;
        let columns = fields.columns(input, scratch);
        let canonical = |span: Span| &scratch.canonical[span.range()];
        let json = CanonicalColumns {
            step_executions: fields.step_executions.map(|json| canonical(json.canonical)),
            adaptive_adjustments: fields.adaptive_adjustments.map(|json| canonical(json.canonical)),
            extensions: fields.extensions.map(canonical),
        };
        Ok(Event {
            id: fields.id,
            hash: ContentHash::of(&columns, &json),
            columns,
            input,
            unescaped: &scratch.unescaped,
            steps: &scratch.steps,
            id_value: fields.id_value,
            body: fields.body,
        })
    }
}

fn check_size(bytes: usize) -> Result<(), Rejection> {
    if bytes <= MAX_EVENT_BYTES {
        return Ok(());
    }
    let message = format!("the event has {bytes} bytes, at most {MAX_EVENT_BYTES} are accepted");
    Err(Rejection::new(Code::TooLarge, &message))
}

/// A valid event, borrowed from its value and its decoder.
#[derive(Clone)]
pub struct Event<'a> {
    /// The value's own id, if it has one that is not empty.
    pub id: Option<Uuid>,
    /// The content as the table holds it.
    pub columns: Columns<'a>,
    hash: ContentHash,
    input: &'a str,
    unescaped: &'a str,
    steps: &'a [Step],
    id_value: Option<Span>,
    body: usize,
}

impl<'a> Event<'a> {
    /// The digest of this content as the content of `id`.
    #[must_use]
    pub fn digest(&self, id: Uuid) -> Digest {
        self.hash.with_id(id)
    }

    /// The digest of the content alone, from which an id can be made.
    #[must_use]
    pub fn content_hash(&self) -> Digest {
        self.hash.without_id()
    }

    /// Action and status of each step, empty where the step does not say.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = (&'a str, &'a str)> + use<'a> {
        let (input, unescaped) = (self.input, self.unescaped);
        let text = move |text: scratch::Text| text.resolve(input, unescaped);
        self.steps.iter().map(move |step| (text(step.action), text(step.status)))
    }

    /// The value with `id` written into it and all else as it came.
    ///
    /// # Errors
    /// [`Code::TooLarge`] if the id makes it too large.
    ///
    /// ```
    /// # use audit_schema::decode::Decoder;
    /// let value = br#"{"id":"","remediation_id":"r","workflow_name":"w","workflow_version":"v1",
    ///     "outcome":"success"}"#;
    /// let id = uuid::Uuid::from_u128(7);
    /// let mut decoder = Decoder::default();
    /// let with_id = decoder.decode(value)?.encode_with_id(id)?;
    /// assert!(with_id.starts_with(br#"{"id":"00000000-0000-0000-0000-000000000007","rem"#));
    /// # Ok::<(), audit_schema::problem::Rejection>(())
    /// ```
    pub fn encode_with_id(&self, id: Uuid) -> Result<Vec<u8>, Rejection> {
        let (before, after, quoted) = match self.id_value.map(Span::range) {
            Some(value) => {
                (&self.input[..value.start], &self.input[value.end..], format!("\"{id}\""))
            }
            None => {
                let (before, body) = self.input.split_at(self.body);
                (before, body, format!("\"id\":\"{id}\","))
            }
        };
        let text = [before, &quoted, after].concat();
        check_size(text.len())?;
        Ok(text.into_bytes())
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("id", &self.id).field("columns", &self.columns).finish()
    }
}
