//! Which of several contents of one id is current: a function of the set of records, not of their
//! order or number.
//!
//! A content's rank is the highest version it was seen with. The content of the highest rank is
//! current; every other one is history. So replaying or redelivering records changes nothing.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::digest::Digest;

/// Where a record stands in the log; later is higher, in the order of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The record's timestamp, milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
}

/// The times a record can have here, milliseconds since the Unix epoch: years 1 to 9999, which PostgreSQL and the
/// calendar of every client can hold.
const RECORD_TIMES: RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// A record's timestamp within years 1 to 9999. Kafka takes any number from a producer where a topic has
/// `message.timestamp.type=CreateTime`; one outside is moved to the nearest that can be stored.
///
/// ```
/// assert_eq!(audit_schema::version::record_time(1_700_000_000_000), 1_700_000_000_000);
/// assert_eq!(audit_schema::version::record_time(i64::MAX), 253_402_300_799_999);
/// ```
#[must_use]
pub fn record_time(timestamp_ms: i64) -> i64 {
    timestamp_ms.clamp(*RECORD_TIMES.start(), *RECORD_TIMES.end())
}

/// What a record was, compared with what its id already had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// The first record of its id.
    Stored,
    /// A content the id already has, current or in history. It may become current by it.
    Duplicate,
    /// A new content, now current.
    Superseding,
    /// A new content below the current one, now in history.
    Late,
}

impl Disposition {
    /// The name used in metrics and the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Superseding => "superseding",
            Self::Late => "late",
        }
    }
}

/// A content and the highest version it was seen with.
// The rank comes first: the derived order decides which content is current, and should two
// contents ever carry the same version (a recreated topic), the digest decides the same way always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ranked {
    /// The highest version the content was seen with.
    pub rank: Version,
    /// The content.
    pub digest: Digest,
}

/// The lowest record of an id: it alone says when the row was created, so that `created_at` never
/// changes with a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Earliest {
    /// The lowest version seen.
    pub version: Version,
    /// What that record gives as `created_at`, microseconds since the Unix epoch.
    pub created_at: i64,
}

/// All contents seen for one id.
///
/// ```
/// use audit_schema::digest::Digest;
/// use audit_schema::version::{Contents, Disposition, Version};
///
/// let at = |offset| Version { timestamp_ms: 1_000, partition: 0, offset };
/// let (a, b) = (Digest([1; 32]), Digest([2; 32]));
///
/// let mut contents = Contents::first(a, at(7), 0);
/// assert_eq!(contents.see(b, at(9), 0), Disposition::Superseding);
/// assert_eq!(contents.see(a, at(7), 0), Disposition::Duplicate);
/// assert_eq!(contents.current().digest, b);
/// assert_eq!(contents.history().collect::<Vec<_>>(), [(a, at(7))]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    current: Ranked,
    history: BTreeMap<Digest, Version>,
    earliest: Earliest,
}

impl Contents {
    /// The state after an id's first record, whose disposition is [`Disposition::Stored`].
    #[must_use]
    pub fn first(digest: Digest, version: Version, created_at: i64) -> Self {
        Self {
            current: Ranked { rank: version, digest },
            history: BTreeMap::new(),
            earliest: Earliest { version, created_at },
        }
    }

    /// The state as stored earlier.
    #[must_use]
    pub fn restore(
        current: Ranked,
        history: impl IntoIterator<Item = (Digest, Version)>,
        earliest: Earliest,
    ) -> Self {
        Self { current, history: history.into_iter().collect(), earliest }
    }

    /// Takes one more record into account; `created_at` is the candidate this record gives.
    pub fn see(&mut self, digest: Digest, version: Version, created_at: i64) -> Disposition {
        self.earliest = self.earliest.min(Earliest { version, created_at });

        if digest == self.current.digest {
            self.current.rank = self.current.rank.max(version);
            return Disposition::Duplicate;
        }
        let known = self.history.remove(&digest);
        let rank = known.map_or(version, |rank| rank.max(version));
        let seen = Ranked { rank, digest };
        let becomes_current = seen > self.current;
        let past = if becomes_current { std::mem::replace(&mut self.current, seen) } else { seen };
        self.history.insert(past.digest, past.rank);

        match (known, becomes_current) {
            (Some(_), _) => Disposition::Duplicate,
            (None, true) => Disposition::Superseding,
            (None, false) => Disposition::Late,
        }
    }

    /// The content of the highest rank.
    #[must_use]
    pub fn current(&self) -> Ranked {
        self.current
    }

    /// Every other content with its rank, in the order of digests.
    pub fn history(&self) -> impl ExactSizeIterator<Item = (Digest, Version)> + '_ {
        self.history.iter().map(|(digest, rank)| (*digest, *rank))
    }

    /// Microseconds since the Unix epoch, from the earliest record.
    #[must_use]
    pub fn created_at(&self) -> i64 {
        self.earliest.created_at
    }

    /// The lowest record seen.
    #[must_use]
    pub fn earliest(&self) -> Earliest {
        self.earliest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Digest = Digest([1; 32]);
    const B: Digest = Digest([2; 32]);
    const C: Digest = Digest([3; 32]);

    fn at(timestamp_ms: i64, partition: i32, offset: i64) -> Version {
        Version { timestamp_ms, partition, offset }
    }

    #[test]
    fn versions_are_ordered_by_time_then_partition_then_offset() {
        assert!(at(2, 0, 0) > at(1, 9, 9));
        assert!(at(1, 1, 0) > at(1, 0, 9));
        assert!(at(1, 1, 2) > at(1, 1, 1));
    }

    #[test]
    fn an_older_new_content_is_late() {
        let mut contents = Contents::first(A, at(5, 0, 5), 50);
        assert_eq!(contents.see(B, at(4, 0, 4), 40), Disposition::Late);
        assert_eq!(contents.current(), Ranked { rank: at(5, 0, 5), digest: A });
        assert_eq!(contents.history().collect::<Vec<_>>(), [(B, at(4, 0, 4))]);
        assert_eq!(contents.created_at(), 40);
    }

    #[test]
    fn a_content_seen_again_later_becomes_current_and_leaves_history() {
        let mut contents = Contents::first(A, at(1, 0, 1), 10);
        assert_eq!(contents.see(B, at(2, 0, 2), 20), Disposition::Superseding);
        assert_eq!(contents.see(A, at(3, 0, 3), 30), Disposition::Duplicate);
        assert_eq!(contents.current(), Ranked { rank: at(3, 0, 3), digest: A });
        assert_eq!(contents.history().collect::<Vec<_>>(), [(B, at(2, 0, 2))]);
        assert_eq!(contents.created_at(), 10);
    }

    #[test]
    fn a_duplicate_raises_the_rank_but_never_lowers_it() {
        let mut contents = Contents::first(A, at(1, 0, 1), 0);
        contents.see(B, at(5, 0, 5), 0);
        contents.see(A, at(3, 0, 3), 0);
        contents.see(A, at(2, 0, 2), 0);
        assert_eq!(contents.history().collect::<Vec<_>>(), [(A, at(3, 0, 3))]);
        assert_eq!(contents.see(C, at(4, 0, 4), 0), Disposition::Late);
    }

    #[test]
    fn a_restored_state_goes_on_as_the_original() {
        let mut contents = Contents::first(A, at(1, 0, 1), 10);
        contents.see(B, at(2, 0, 2), 20);
        let mut restored =
            Contents::restore(contents.current(), contents.history(), contents.earliest());
        assert_eq!(restored, contents);
        assert_eq!(restored.see(C, at(3, 0, 3), 5), contents.see(C, at(3, 0, 3), 5));
        assert_eq!(restored, contents);
    }
}
