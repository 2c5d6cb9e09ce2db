//! The digest of a content: equal exactly when the table's columns hold equal values.
//!
//! It is taken over the columns, not over the event's bytes, so that any encoding of a content has
//! the same digest and a stored row can be checked against it. Each column is written as a tag and
//! a value that says itself where it ends, JSON columns in their [canonical form](crate::decode),
//! in a fixed order, the id last. Changing anything here makes every stored digest wrong.

use std::fmt;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::columns::Columns;
pub use crate::decode::Canonicalizer;
use crate::problem::Rejection;

const DOMAIN: &[u8] = b"kubernaut-audit content v1\n";

/// SHA-256 of a content. Ordered by its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest as the table stores it; `None` unless there are 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The digest of a row, from what the table holds: the same as
/// [`Event::digest`](crate::decode::Event::digest) of every event with this content.
///
/// `row` has the JSON columns as PostgreSQL writes `jsonb` as text.
///
/// # Errors
/// If a JSON column holds what no event can: not JSON, too deep, or numbers beyond the limits.
///
/// ```
/// use audit_schema::columns::Columns;
/// use audit_schema::decode::Decoder;
/// use audit_schema::digest::{Canonicalizer, of_row};
///
/// let mut decoder = Decoder::default();
/// let event = decoder.decode(br#"{"remediation_id":"r","workflow_name":"w",
///     "workflow_version":"v1","outcome":"partial","attempt":1e2}"#)?;
/// let row = Columns { extensions: Some(r#"{"attempt": 100}"#), ..event.columns };
///
/// let id = uuid::Uuid::from_u128(7);
/// assert_eq!(of_row(&mut Canonicalizer::default(), id, &row)?, event.digest(id));
/// # Ok::<(), audit_schema::problem::Rejection>(())
/// ```
pub fn of_row(
    canonicalizer: &mut Canonicalizer,
    id: Uuid,
    row: &Columns<'_>,
) -> Result<Digest, Rejection> {
    Ok(canonicalizer.hash_row(row)?.with_id(id))
}

/// The canonical forms of the JSON columns.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CanonicalColumns<'a> {
    pub(crate) step_executions: Option<&'a [u8]>,
    pub(crate) adaptive_adjustments: Option<&'a [u8]>,
    pub(crate) extensions: Option<&'a [u8]>,
}

/// All of a content has been hashed, the id not yet.
#[derive(Clone)]
pub(crate) struct ContentHash(Sha256);

impl ContentHash {
    pub(crate) fn of(columns: &Columns<'_>, json: &CanonicalColumns<'_>) -> Self {
        // A column added to the table must be added here.
        let Columns {
            remediation_id,
            workflow_name,
            workflow_version,
            total_steps,
            steps_completed,
            steps_failed,
            total_duration,
            outcome,
            effectiveness_score,
            rollbacks_performed,
            step_executions: _,
            adaptive_adjustments: _,
            completed_at,
            status,
            error_message,
            extensions: _,
        } = *columns;

        let mut hash = Self(Sha256::new_with_prefix(DOMAIN));
        hash.text(Some(remediation_id));
        hash.text(Some(workflow_name));
        hash.text(Some(workflow_version));
        hash.fixed(total_steps.map(i32::to_be_bytes));
        hash.fixed(steps_completed.map(i32::to_be_bytes));
        hash.fixed(steps_failed.map(i32::to_be_bytes));
        hash.fixed(total_duration.map(i64::to_be_bytes));
        hash.text(Some(outcome));
        hash.fixed(effectiveness_score.map(f64::to_be_bytes));
        hash.fixed(rollbacks_performed.map(i32::to_be_bytes));
        hash.canonical(json.step_executions);
        hash.canonical(json.adaptive_adjustments);
        hash.fixed(completed_at.map(i64::to_be_bytes));
        hash.text(status);
        hash.text(error_message);
        hash.canonical(json.extensions);
        hash
    }

    pub(crate) fn without_id(&self) -> Digest {
        Digest(self.0.clone().finalize().into())
    }

    pub(crate) fn with_id(&self, id: Uuid) -> Digest {
        Digest(self.0.clone().chain_update(id.as_bytes()).finalize().into())
    }

    fn text(&mut self, text: Option<&str>) {
        let Some(text) = text else { return self.null() };
        let length = (text.len() as u64).to_be_bytes();
        self.0.update([1]);
        self.0.update(length);
        self.0.update(text);
    }

    fn fixed<const N: usize>(&mut self, bytes: Option<[u8; N]>) {
        let Some(bytes) = bytes else {
            return self.null();
        };
        self.0.update([1]);
        self.0.update(bytes);
    }

    fn canonical(&mut self, json: Option<&[u8]>) {
        let Some(json) = json else { return self.null() };
        self.0.update([1]);
        self.0.update(json);
    }

    fn null(&mut self) {
        self.0.update([0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Decoder;

    const ID: Uuid = Uuid::from_u128(0x7a1c_3f0e_9b1d_4a57_8a43_2f0f_4a1d_9c55);

    /// The digests of stored rows must be found again by every later version. The expected ones were
    /// computed from the description above by another program.
    #[test]
    fn digests_never_change() {
        let value = r#"{"id":"","remediation_id":"rem-1","workflow_name":"wörk","workflow_version":"",
            "total_steps":3,"total_duration":1500000999,"outcome":"success",
            "effectiveness_score":0.5,"rollbacks_performed":0,
            "step_executions":[{"duration":1500000000,"action":"drain","ratio":-0.250}],
            "completed_at":"2025-01-15T10:30:00.123456789Z","status":"","b":[true,false],"a":null}"#;
        let mut decoder = Decoder::default();
        let event = decoder.decode(value.as_bytes()).unwrap();
        assert_eq!(
            event.content_hash().to_string(),
            "6a182db55b3cb04b1c15599f0ce2f019d668141ef0140bbf0408719e9c36fc95"
        );
        assert_eq!(
            event.digest(ID).to_string(),
            "7f61abfebe6e0acf3813779ba0dcfb957f3dd4645b3ad0c79ccc7a34b801ebf7"
        );
    }

    fn row(extensions: &str) -> Result<Digest, Rejection> {
        let row = Columns { extensions: Some(extensions), ..Columns::default() };
        of_row(&mut Canonicalizer::default(), ID, &row)
    }

    /// PostgreSQL puts short keys first, spaces behind colons and commas, and writes all digits.
    #[test]
    fn the_text_of_jsonb_has_the_digest_of_what_was_stored() {
        let kilo = format!("1{}", "0".repeat(308));
        for (sent, stored) in [
            (r#"{"bb":1,"a":2,"ccc":3}"#, r#"{"a": 2, "bb": 1, "ccc": 3}"#),
            (r#"{"x":1e2,"y":1.0,"z":-0}"#, r#"{"x": 100, "y": 1.0, "z": 0}"#),
            (r#"{"x":1.50e-3}"#, r#"{"x": 0.00150}"#),
            (r#"{"x":1e308}"#, &format!(r#"{{"x": {kilo}}}"#)),
            (r#"{"x":"\u003c\/\u00e9\u0001"}"#, r#"{"x": "</é\u0001"}"#),
            (r#"{"x":[{},[],null,true]}"#, r#"{"x": [{}, [], null, true]}"#),
        ] {
            assert_eq!(row(sent), row(stored), "{stored}");
        }
    }

    #[test]
    fn null_empty_and_absent_are_three_things() {
        let none = of_row(&mut Canonicalizer::default(), ID, &Columns::default());
        let digests =
            [none, row("{}"), row(r#"{"a": null}"#), row(r#"{"a": ""}"#), row(r#"{"a": []}"#)];
        for (index, digest) in digests.iter().enumerate() {
            assert!(digest.is_ok());
            assert!(!digests[..index].contains(digest));
        }
    }

    #[test]
    fn a_row_no_event_can_have_made_is_refused_naming_the_column() {
        let rejection = row(r#"{"a": [1, 2"#).unwrap_err();
        assert!(rejection.to_string().starts_with("extensions.a[1]: is not JSON"), "{rejection}");
        assert!(row(r#"{"a": 1} x"#).is_err());

        let steps = Columns { step_executions: Some(r#"[{"a": tru}]"#), ..Columns::default() };
        let rejection = of_row(&mut Canonicalizer::default(), ID, &steps).unwrap_err();
        assert_eq!(rejection.problems[0].path, "step_executions[0].a");
    }
}
