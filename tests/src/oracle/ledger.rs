//! The account of offsets.

use std::collections::BTreeMap;

use anyhow::Result;
use audit_schema::version::Version;
use tokio_postgres::{Client, Row};

/// What became of offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New ids.
    pub stored: i64,
    /// Contents that were held already.
    pub duplicate: i64,
    /// New contents that became current.
    pub superseding: i64,
    /// New contents that went to history.
    pub late: i64,
    /// Records that became dead letters.
    pub dead_lettered: i64,
    /// Contents of a month that was dropped.
    pub expired: i64,
    /// Offsets without a record.
    pub gap: i64,
    /// Offsets given up by an operator.
    pub lost: i64,
}

impl Counts {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            stored: row.try_get("stored")?,
            duplicate: row.try_get("duplicate")?,
            superseding: row.try_get("superseding")?,
            late: row.try_get("late")?,
            dead_lettered: row.try_get("dead_lettered")?,
            expired: row.try_get("expired")?,
            gap: row.try_get("gap")?,
            lost: row.try_get("lost")?,
        })
    }

    /// All offsets.
    #[must_use]
    pub fn offsets(&self) -> i64 {
        self.records() + self.gap + self.lost
    }

    /// Offsets whose record was read.
    #[must_use]
    pub fn records(&self) -> i64 {
        self.stored
            + self.duplicate
            + self.superseding
            + self.late
            + self.dead_lettered
            + self.expired
    }

    /// Adds what another account says.
    pub fn add(&mut self, other: &Self) {
        self.stored += other.stored;
        self.duplicate += other.duplicate;
        self.superseding += other.superseding;
        self.late += other.late;
        self.dead_lettered += other.dead_lettered;
        self.expired += other.expired;
        self.gap += other.gap;
        self.lost += other.lost;
    }
}

/// Where each partition stands, and the batches that led there.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) partitions: BTreeMap<i32, Partition>,
}

#[derive(Debug, Default)]
pub(super) struct Partition {
    start: Option<i64>,
    next: Option<i64>,
    batches: Vec<(i64, i64, Counts)>,
}

impl Ledger {
    pub(super) async fn read(client: &Client, stream: &str, topic: &str) -> Result<Self> {
        let streams = "
            SELECT partition, start_offset, next_offset FROM audit_stream
            WHERE stream = $1 AND topic = $2";
        let batches = "
            SELECT * FROM audit_batch WHERE stream = $1 AND topic = $2
            ORDER BY partition, first_offset";
        let mut ledger = Self::default();
        for row in client.query(streams, &[&stream, &topic]).await? {
            let partition = ledger.partitions.entry(row.try_get(0)?).or_default();
            partition.start = row.try_get(1)?;
            partition.next = row.try_get(2)?;
        }
        for row in client.query(batches, &[&stream, &topic]).await? {
            let partition = ledger.partitions.entry(row.try_get("partition")?).or_default();
            let range = (row.try_get("first_offset")?, row.try_get("last_offset")?);
            partition.batches.push((range.0, range.1, Counts::read(&row)?));
        }
        Ok(ledger)
    }

    pub(super) fn next_offset(&self, partition: i32) -> Option<i64> {
        self.partitions.get(&partition)?.next
    }

    /// Whether the record is one that the stream accounts for.
    pub(super) fn covers(&self, at: &Version) -> bool {
        let range = self.partitions.get(&at.partition).and_then(|part| part.start.zip(part.next));
        range.is_some_and(|(start, next)| (start..next).contains(&at.offset))
    }

    pub(super) fn total(&self) -> Counts {
        let mut total = Counts::default();
        for partition in self.partitions.values() {
            total.add(&partition.total());
        }
        total
    }

    /// What is wrong with it, whatever was expected: holes, overlaps, sums that are not their range.
    pub(super) fn problems(&self) -> Vec<String> {
        let each = |(number, partition): (&i32, &Partition)| {
            partition
                .problems()
                .into_iter()
                .map(|what| format!("ledger of partition {number}: {what}"))
                .collect::<Vec<_>>()
        };
        self.partitions.iter().flat_map(each).collect()
    }
}

impl Partition {
    pub(super) fn total(&self) -> Counts {
        let mut total = Counts::default();
        for (_, _, counts) in &self.batches {
            total.add(counts);
        }
        total
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut next = self.start;
        for (first, last, counts) in &self.batches {
            if next != Some(*first) {
                problems.push(format!("a batch begins at {first}, expected at {next:?}"));
            }
            if counts.offsets() != last - first + 1 {
                problems.push(format!("{first} to {last} is not the sum of {counts:?}"));
            }
            next = Some(last + 1);
        }
        if next != self.next {
            problems.push(format!("it ends before {next:?}, the stream is at {:?}", self.next));
        }
        problems
    }
}
