//! Ids for events that come without one: UUIDv8 (RFC 9562) that carry their time.
//!
//! ```text
//!  48 bits            4   12 bits       2   62 bits
//!  Unix milliseconds  8   tag 0xA0D     10  SHA-256 of the identity
//! ```
//!
//! The time lets a row find its partition by its id alone. It must come from what cannot change, or
//! the same execution would get a second id. An id without a time has zero there.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid, Variant};

use crate::digest::Digest;

/// Tells our UUIDv8 from those of others: the 12 bits after the version.
const TAG: u16 = 0xA0D;
const MAX_TIME_MS: i64 = (1 << 48) - 1;

/// The id of a finished `WorkflowExecution` resource, from the cluster's name, the resource's uid and
/// its creationTimestamp.
#[must_use]
pub fn from_resource(cluster: &str, uid: &str, created_at: DateTime<Utc>) -> Uuid {
    let identity = Identity::of("resource").part(cluster.as_bytes()).part(uid.as_bytes());
    identity.at(Some(created_at.timestamp_millis()))
}

/// The id of an event that has nothing else to tell it by: its whole content, and its `completed_at`
/// in microseconds since the Unix epoch.
///
/// `content` is [`Event::content_hash`](crate::decode::Event::content_hash).
#[must_use]
pub fn from_content(content: Digest, completed_at_micros: Option<i64>) -> Uuid {
    Identity::of("content").part(&content.0).at(millis(completed_at_micros))
}

/// The id of an event sent with an `Idempotency-Key`, which is scoped by the `source` it came from.
#[must_use]
pub fn from_key(source: &str, key: &str, completed_at_micros: Option<i64>) -> Uuid {
    let identity = Identity::of("key").part(source.as_bytes()).part(key.as_bytes());
    identity.at(millis(completed_at_micros))
}

/// The time an id carries, in microseconds since the Unix epoch (whole milliseconds).
///
/// `None` for every id not made here, and for those made here without a time.
///
/// ```
/// use audit_schema::identity;
/// use chrono::DateTime;
///
/// let created_at = DateTime::from_timestamp_millis(1_736_937_000_123).unwrap();
/// let id = identity::from_resource("prod-eu", "7a1c3f0e-9b1d-4a57-8a43-2f0f4a1d9c55", created_at);
/// assert_eq!(identity::created_at(id), Some(1_736_937_000_123_000));
/// assert_eq!(identity::created_at(uuid::Uuid::nil()), None);
/// ```
#[must_use]
pub fn created_at(id: Uuid) -> Option<i64> {
    let bytes = id.as_bytes();
    let tag = u16::from_be_bytes([bytes[6] & 0x0F, bytes[7]]);
    if id.get_version_num() != 8 || id.get_variant() != Variant::RFC4122 || tag != TAG {
        return None;
    }
    let time =
        i64::from_be_bytes([0, 0, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]]);
    (time != 0).then(|| time * 1000)
}

/// Reads a UUID in its hyphenated form of 36 characters, in any case; every other spelling is `None`.
#[must_use]
pub fn parse(text: &str) -> Option<Uuid> {
    if text.len() == 36 { Uuid::try_parse(text).ok() } else { None }
}

fn millis(micros: Option<i64>) -> Option<i64> {
    micros.map(|micros| micros.div_euclid(1000))
}

/// Collects the parts of an identity; each is preceded by its length, and the kind keeps ids of
/// different making apart.
struct Identity(Sha256);

impl Identity {
    fn of(kind: &str) -> Self {
        Self(Sha256::new()).part(b"kubernaut-audit identity v1").part(kind.as_bytes())
    }

    fn part(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    fn at(self, time_ms: Option<i64>) -> Uuid {
        let hash = self.0.finalize();
        let time = time_ms.filter(|ms| (1..=MAX_TIME_MS).contains(ms)).unwrap_or(0);
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&time.to_be_bytes()[2..]);
        bytes[6..8].copy_from_slice(&TAG.to_be_bytes());
        bytes[8..].copy_from_slice(&hash[..8]);
        // Sets the version and variant bits over what is there.
        Builder::from_custom_bytes(bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const UID: &str = "7a1c3f0e-9b1d-4a57-8a43-2f0f4a1d9c55";
    const TIME_MS: i64 = 1_736_937_000_123;

    fn resource(cluster: &str, uid: &str, ms: i64) -> Uuid {
        from_resource(cluster, uid, DateTime::from_timestamp_millis(ms).unwrap())
    }

    /// Ids are stored for good: a change here would store every replayed execution a second time.
    /// The expected ones were computed from the layout above by another program.
    #[test]
    fn ids_never_change() {
        let content = Digest([7; 32]);
        let golden = [
            (resource("prod-eu", UID, TIME_MS), "01946983-4cbb-8a0d-966a-251a971e4ba9"),
            (
                from_content(content, Some(TIME_MS * 1000 + 456)),
                "01946983-4cbb-8a0d-b332-098118f764e1",
            ),
            (from_content(content, None), "00000000-0000-8a0d-b332-098118f764e1"),
            (
                from_key("/gateway", "order-17", Some(TIME_MS * 1000)),
                "01946983-4cbb-8a0d-a897-eaf095fc4f3b",
            ),
        ];
        for (id, expected) in golden {
            assert_eq!(id.to_string(), expected);
        }
    }

    #[test]
    fn ids_carry_their_time_in_whole_milliseconds() {
        assert_eq!(created_at(resource("c", UID, TIME_MS)), Some(TIME_MS * 1000));
        assert_eq!(created_at(from_content(Digest([0; 32]), Some(1_999))), Some(1_000));
        let last = MAX_TIME_MS * 1000 + 999;
        assert_eq!(created_at(from_key("s", "k", Some(last))), Some(MAX_TIME_MS * 1000));
    }

    #[test]
    fn times_that_do_not_fit_leave_the_id_undated() {
        let undated = from_key("s", "k", None);
        assert_eq!(created_at(undated), None);
        for micros in [0, 999, -1, -1_000_000, i64::MIN, (MAX_TIME_MS + 1) * 1000, i64::MAX] {
            assert_eq!(from_key("s", "k", Some(micros)), undated, "{micros}");
        }
        assert_eq!(created_at(resource("c", UID, -5)), None);
    }

    #[test]
    fn ids_of_others_carry_no_time() {
        let ours = resource("c", UID, TIME_MS);
        for (byte, bits) in [(6, 0x10), (7, 0x01), (8, 0x40)] {
            let mut bytes = *ours.as_bytes();
            bytes[byte] ^= bits;
            assert_eq!(created_at(Uuid::from_bytes(bytes)), None, "byte {byte}");
        }
        let random = Uuid::from_u128(0x0192_f0c1_5b7a_4f3e_9c1d_2b3a_4c5d_6e7f);
        assert_eq!(created_at(random), None);
    }

    #[test]
    fn different_identities_get_different_ids() {
        let time = Some(TIME_MS * 1000);
        let mut ids = HashSet::new();
        for n in 0..2_000 {
            assert!(ids.insert(resource("c", &format!("uid-{n}"), TIME_MS)));
            assert!(ids.insert(from_key("s", &n.to_string(), time)));
        }
        // The same bytes, divided differently or used for another kind.
        assert!(ids.insert(resource("ab", "c", TIME_MS)));
        assert!(ids.insert(resource("a", "bc", TIME_MS)));
        assert!(ids.insert(from_key("ab", "c", time)));
        assert!(ids.insert(from_key("a", "bc", time)));
        assert!(ids.insert(from_content(Digest([1; 32]), time)));
        assert!(ids.insert(from_content(Digest([1; 32]), None)));
    }
}
