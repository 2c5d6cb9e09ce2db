//! Dead letters by place.

use std::ops::Range;

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::entry::part;
use super::finding::{Finding, Findings};
use super::ledger::Ledger;
use super::snapshot::Snapshot;
use super::sort::{Sorted, Sorter};

const LETTERS: &str = "SELECT topic, partition, \"offset\", record_timestamp, resolution = 'stored', \
    sha256(coalesce(value, '')), retried_as FROM audit_dead_letter";

/// Bytes of a [`Letter`].
const SIZE: usize = 53;

pub(super) type LetterSorter = Sorter<SIZE>;
pub(super) type SortedLetters = Sorted<SIZE>;

/// What there is of dead letters.
pub(super) struct Letters {
    /// All of them, resolved ones included.
    pub(super) count: i64,
    /// Contents that a retry stored, which are in no ledger.
    pub(super) retried: Retried,
    /// Those of the topic that is read, if one is.
    pub(super) of_topic: SortedLetters,
}

/// Contents that retries of dead letters stored.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Retried {
    pub(super) stored: i64,
    /// Superseding and late.
    pub(super) others: i64,
}

/// A dead letter of the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// Milliseconds since the Unix epoch.
    pub(super) timestamp_ms: i64,
    /// Whether its record could be stored after all; else it is open or discarded.
    pub(super) stored: bool,
    /// SHA-256 of the record's value (of nothing for a tombstone).
    pub(super) digest: [u8; 32],
}

const PARTITION: Range<usize> = 0..4;
const OFFSET: Range<usize> = 4..12;
const TIMESTAMP: Range<usize> = 12..20;
const STORED: usize = 20;
const DIGEST: Range<usize> = 21..53;

impl Letter {
    /// Sorts by partition and offset, neither of which is negative.
    fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[PARTITION].copy_from_slice(&self.partition.to_be_bytes());
        bytes[OFFSET].copy_from_slice(&self.offset.to_be_bytes());
        bytes[TIMESTAMP].copy_from_slice(&self.timestamp_ms.to_be_bytes());
        bytes[STORED] = self.stored.into();
        bytes[DIGEST].copy_from_slice(&self.digest);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; SIZE]) -> Self {
        Self {
            partition: i32::from_be_bytes(part(bytes, PARTITION)),
            offset: i64::from_be_bytes(part(bytes, OFFSET)),
            timestamp_ms: i64::from_be_bytes(part(bytes, TIMESTAMP)),
            stored: bytes[STORED] != 0,
            digest: part(bytes, DIGEST),
        }
    }
}

/// Reads all dead letters, keeping those of the topic in a sorter.
pub(super) async fn read(
    snapshot: &Snapshot<'_>,
    ledger: &Ledger,
    topic: Option<&str>,
    mut sorter: LetterSorter,
    findings: &mut Findings,
) -> anyhow::Result<Letters> {
    let mut count = 0;
    let mut retried = Retried::default();
    snapshot
        .each(LETTERS, &[], |row| {
            count += 1;
            let from: &str = row.try_get(0)?;
            match row.try_get(6)? {
                Some("stored") => retried.stored += 1,
                Some("superseding" | "late") => retried.others += 1,
                Some(_) | None => {}
            }
            let letter = letter(row)?;
            if !ledger.has(from, letter.partition, letter.offset) {
                let found = "comes from a record that no stream has accounted for";
                let finding = Finding::new("dead letter", found);
                findings.push(finding.at(from, letter.partition, letter.offset));
            }
            if topic == Some(from) {
                sorter.push(letter.to_bytes())?;
            }
            Ok(())
        })
        .await?;
    Ok(Letters { count, retried, of_topic: sorter.finish()? })
}

fn letter(row: &Row) -> anyhow::Result<Letter> {
    let digest: &[u8] = row.try_get(5)?;
    Ok(Letter {
        partition: row.try_get(1)?,
        offset: row.try_get(2)?,
        timestamp_ms: row.try_get::<_, DateTime<Utc>>(3)?.timestamp_millis(),
        stored: row.try_get::<_, Option<bool>>(4)?.unwrap_or(false),
        digest: part(digest, 0..32),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_letter() {
        let letter = Letter {
            partition: 3,
            offset: 1 << 40,
            timestamp_ms: -5,
            stored: true,
            digest: [7; 32],
        };
        assert_eq!(Letter::from_bytes(&letter.to_bytes()), letter);
    }
}
