//! What is known of an id, in bytes that sort: all of one id together, first what the tables hold of it, then the
//! topic's records by version.

use std::ops::Range;

use audit_schema::digest::Digest;
use audit_schema::version::Version;
use uuid::Uuid;

use super::sort::{Sorted, Sorter};

/// Bytes of an [`Entry`].
const SIZE: usize = 78;

pub(super) type Entries = Sorter<SIZE>;
pub(super) type SortedEntries = Sorted<SIZE>;

/// Where it comes from, in the order of sorting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// A row of `audit_id`; it has no digest.
    Registry,
    /// A row of the event table.
    Row,
    /// A row of the history.
    History,
    /// A record of the topic.
    Record,
}

impl Origin {
    /// What findings call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Registry => "audit_id",
            Self::Row => "row",
            Self::History => "history",
            Self::Record => "topic",
        }
    }
}

/// One thing that is known of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: Uuid,
    pub(super) origin: Origin,
    /// The rank of a content, the version of a record, or that of the earliest record.
    pub(super) version: Version,
    pub(super) digest: Digest,
    /// Microseconds since the Unix epoch.
    pub(super) created_at: i64,
    /// Whether the version is one of the topic that is read.
    pub(super) of_topic: bool,
}

const ID: Range<usize> = 0..16;
const ORIGIN: usize = 16;
const VERSION: Range<usize> = 17..37;
const DIGEST: Range<usize> = 37..69;
const CREATED_AT: Range<usize> = 69..77;
const OF_TOPIC: usize = 77;

impl Entry {
    pub(super) fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[ID].copy_from_slice(self.id.as_bytes());
        bytes[ORIGIN] = self.origin as u8;
        bytes[VERSION].copy_from_slice(&version_to_bytes(self.version));
        bytes[DIGEST].copy_from_slice(self.digest.as_bytes());
        bytes[CREATED_AT].copy_from_slice(&long_to_bytes(self.created_at));
        bytes[OF_TOPIC] = self.of_topic.into();
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; SIZE]) -> Self {
        let origins = [Origin::Registry, Origin::Row, Origin::History, Origin::Record];
        Self {
            id: Uuid::from_bytes(part(bytes, ID)),
            origin: origins[usize::from(bytes[ORIGIN])],
            version: version_from_bytes(part(bytes, VERSION)),
            digest: Digest(part(bytes, DIGEST)),
            created_at: long_from_bytes(part(bytes, CREATED_AT)),
            of_topic: bytes[OF_TOPIC] != 0,
        }
    }
}

/// A part of known length.
pub(super) fn part<const N: usize>(bytes: &[u8], range: Range<usize>) -> [u8; N] {
    bytes[range].try_into().expect("the range has this length")
}

/// A number as bytes that compare as it does.
fn long_to_bytes(number: i64) -> [u8; 8] {
    (number ^ i64::MIN).to_be_bytes()
}

fn long_from_bytes(bytes: [u8; 8]) -> i64 {
    i64::from_be_bytes(bytes) ^ i64::MIN
}

fn version_to_bytes(version: Version) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&long_to_bytes(version.timestamp_ms));
    bytes[8..12].copy_from_slice(&(version.partition ^ i32::MIN).to_be_bytes());
    bytes[12..].copy_from_slice(&long_to_bytes(version.offset));
    bytes
}

fn version_from_bytes(bytes: [u8; 20]) -> Version {
    Version {
        timestamp_ms: long_from_bytes(part(&bytes, 0..8)),
        partition: i32::from_be_bytes(part(&bytes, 8..12)) ^ i32::MIN,
        offset: long_from_bytes(part(&bytes, 12..20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(random: &mut fastrand::Rng) -> Entry {
        let origins = [Origin::Registry, Origin::Row, Origin::History, Origin::Record];
        let long = |random: &mut fastrand::Rng| [i64::MIN, -1, 0, 1, i64::MAX][random.usize(..5)];
        Entry {
            id: Uuid::from_u128(random.u128(..3)),
            origin: origins[random.usize(..4)],
            version: Version {
                timestamp_ms: long(random),
                partition: [i32::MIN, -1, 0, 7][random.usize(..4)],
                offset: long(random),
            },
            digest: Digest([random.u8(..2); 32]),
            created_at: long(random),
            of_topic: random.bool(),
        }
    }

    #[test]
    fn bytes_are_the_entry_and_sort_as_it_does() {
        let mut generator = fastrand::Rng::with_seed(7);
        for _ in 0..10_000 {
            let (one, other) = (random(&mut generator), random(&mut generator));
            assert_eq!(Entry::from_bytes(&one.to_bytes()), one);
            let key = |entry: &Entry| (entry.id, entry.origin, entry.version, entry.digest);
            let order = one.to_bytes().cmp(&other.to_bytes());
            assert!(key(&one).cmp(&key(&other)).is_eq() || order == key(&one).cmp(&key(&other)));
        }
    }
}
