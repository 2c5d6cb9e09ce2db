//! The account of offsets: without a hole from where each stream began to where it stands.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::finding::{Finding, Findings};
use super::snapshot::Snapshot;
use crate::claim::LastRecord;

const STREAMS: &str = "SELECT stream, topic, partition, start_offset, next_offset, open_batch, last_offset, \
    last_timestamp, last_digest FROM audit_stream ORDER BY stream, topic, partition";
const BATCHES: &str = "SELECT stream, topic, partition, first_offset, last_offset, stored, duplicate, superseding, late, \
    dead_lettered, expired, gap, lost, opened_at FROM audit_batch ORDER BY stream, topic, partition, first_offset";

/// All streams, each partition with its account.
pub(super) struct Ledger {
    pub(super) accounts: Vec<Account>,
    /// When the first row was opened: nothing can have been stored before.
    pub(super) begun_at: Option<DateTime<Utc>>,
    /// By topic and partition, the offsets that some stream has accounted for.
    accounted: BTreeMap<String, BTreeMap<i32, Vec<Range<i64>>>>,
}

/// One partition of a topic as one stream has read it.
pub(super) struct Account {
    pub(super) stream: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    /// From the first offset to the next one; none if nobody has taken it over yet.
    pub(super) offsets: Option<Range<i64>>,
    open_batch: Option<i64>,
    /// The last record that was read.
    pub(super) last: Option<LastRecord>,
    pub(super) batches: Vec<Batch>,
}

/// A row of the ledger.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Batch {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) stored: i64,
    duplicate: i64,
    /// Superseding and late: contents that made one go to history.
    pub(super) others: i64,
    pub(super) dead_lettered: i64,
    pub(super) expired: i64,
    gap: i64,
    lost: i64,
}

impl Batch {
    /// Offsets whose record was read.
    pub(super) fn records(&self) -> i64 {
        self.stored + self.duplicate + self.others + self.dead_lettered + self.expired
    }
}

impl Ledger {
    pub(super) async fn read(snapshot: &Snapshot<'_>) -> anyhow::Result<Self> {
        let mut accounts = Vec::new();
        snapshot
            .each(STREAMS, &[], |row| {
                accounts.push(account(row)?);
                Ok(())
            })
            .await?;
        let mut begun_at = None;
        let mut at = 0;
        snapshot
            .each(BATCHES, &[], |row| {
                let key: (&str, &str, i32) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
                // Both are in the same order, and no row of the ledger is without its stream.
                while accounts.get(at).is_some_and(|account| account.key() != key) {
                    at += 1;
                }
                let opened_at: DateTime<Utc> = row.try_get(13)?;
                begun_at = Some(begun_at.map_or(opened_at, |least| opened_at.min(least)));
                if let Some(account) = accounts.get_mut(at) {
                    account.batches.push(batch(row)?);
                }
                Ok(())
            })
            .await?;
        Ok(Self { accounted: accounted(&accounts), accounts, begun_at })
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        self.accounts.iter().for_each(|account| account.check(findings));
    }

    /// Whether a stream has accounted for the record.
    pub(super) fn has(&self, topic: &str, partition: i32, offset: i64) -> bool {
        let ranges = self.accounted.get(topic).and_then(|partitions| partitions.get(&partition));
        ranges.is_some_and(|ranges| ranges.iter().any(|range| range.contains(&offset)))
    }

    /// How many topics the database has the records of.
    pub(super) fn topics(&self) -> usize {
        self.accounted.len()
    }

    /// The sum over all streams.
    pub(super) fn sum(&self, count: impl Fn(&Batch) -> i64) -> i64 {
        self.accounts.iter().flat_map(|account| &account.batches).map(count).sum()
    }
}

fn accounted(accounts: &[Account]) -> BTreeMap<String, BTreeMap<i32, Vec<Range<i64>>>> {
    let mut all: BTreeMap<String, BTreeMap<i32, Vec<Range<i64>>>> = BTreeMap::new();
    for account in accounts {
        let partitions = all.entry(account.topic.clone()).or_default();
        partitions.entry(account.partition).or_default().extend(account.offsets.clone());
    }
    all
}

fn account(row: &Row) -> anyhow::Result<Account> {
    let offsets = row.try_get::<_, Option<i64>>(3)?.zip(row.try_get::<_, Option<i64>>(4)?);
    let last = row
        .try_get::<_, Option<i64>>(6)?
        .zip(row.try_get::<_, Option<DateTime<Utc>>>(7)?)
        .zip(row.try_get::<_, Option<Vec<u8>>>(8)?);
    Ok(Account {
        stream: row.try_get(0)?,
        topic: row.try_get(1)?,
        partition: row.try_get(2)?,
        offsets: offsets.map(|(start, next)| start..next),
        open_batch: row.try_get(5)?,
        last: last.and_then(|((offset, time), digest)| {
            let digest = digest.try_into().ok()?;
            Some(LastRecord { offset, timestamp_ms: time.timestamp_millis(), digest })
        }),
        batches: Vec::new(),
    })
}

fn batch(row: &Row) -> anyhow::Result<Batch> {
    Ok(Batch {
        first: row.try_get(3)?,
        last: row.try_get(4)?,
        stored: row.try_get(5)?,
        duplicate: row.try_get(6)?,
        others: row.try_get::<_, i64>(7)? + row.try_get::<_, i64>(8)?,
        dead_lettered: row.try_get(9)?,
        expired: row.try_get(10)?,
        gap: row.try_get(11)?,
        lost: row.try_get(12)?,
    })
}

impl Account {
    fn key(&self) -> (&str, &str, i32) {
        (&self.stream, &self.topic, self.partition)
    }

    fn check(&self, findings: &mut Findings) {
        let finding = |found: String| Finding::new("ledger", found).in_stream(&self.stream);
        let range = self.offsets.clone().unwrap_or(0..0);
        let mut next = range.start;
        for batch in &self.batches {
            let Batch { first, last, gap, lost, .. } = *batch;
            let over = |found: &str, first, last| {
                finding(found.to_owned()).over(&self.topic, self.partition, first, last)
            };
            if first > next {
                findings.push(over("no row accounts for these offsets", next, first - 1));
            }
            if first < next {
                findings.push(over("two rows account for these offsets", first, next - 1));
            }
            let (sum, offsets) = (batch.records() + gap + lost, last - first + 1);
            if sum != offsets {
                findings.push(over(&format!("counts {sum} of {offsets} offsets"), first, last));
            }
            next = last + 1;
        }
        if next != range.end {
            let found =
                format!("the rows end before offset {next}, the stream stands at {}", range.end);
            findings.push(finding(found).at(&self.topic, self.partition, next));
        }
        let open = self.batches.last().map(|batch| batch.first);
        if self.open_batch.is_some() && self.open_batch != open {
            let found = "the next batch would extend a row that is not the last one".to_owned();
            let at = self.open_batch.unwrap_or_default();
            findings.push(finding(found).at(&self.topic, self.partition, at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(batches: &[(i64, i64)], open_batch: Option<i64>) -> Vec<(Option<String>, String)> {
        let batch =
            |&(first, last)| Batch { first, last, gap: last - first + 1, ..Batch::default() };
        let account = Account {
            stream: "s".into(),
            topic: "t".into(),
            partition: 3,
            offsets: Some(10..40),
            open_batch,
            last: None,
            batches: batches.iter().map(batch).collect(),
        };
        let mut findings = Findings::new(10);
        account.check(&mut findings);
        findings.kept().iter().map(|one| (one.place.clone(), one.found.clone())).collect()
    }

    #[test]
    fn every_offset_is_in_one_row() {
        assert_eq!(account(&[(10, 19), (20, 39)], Some(20)), []);
        assert_eq!(account(&[(10, 39)], None), []);
        for (batches, place, words) in [
            (&[(10, 19), (25, 39)][..], "t:3:20-24", "no row"),
            (&[(12, 39)], "t:3:10-11", "no row"),
            (&[(10, 29), (20, 39)], "t:3:20-29", "two rows"),
            (&[(10, 29)], "t:3:30", "end before offset 30, the stream stands at 40"),
            (&[(10, 49)], "t:3:50", "end before offset 50"),
            (&[], "t:3:10", "end before offset 10"),
        ] {
            let found = account(batches, None);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].0.as_deref(), Some(place));
            assert!(found[0].1.contains(words), "{found:?}");
        }
    }

    #[test]
    fn the_row_that_is_extended_is_the_last_one() {
        for open in [10, 5, 40] {
            let found = account(&[(10, 19), (20, 39)], Some(open));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].1.contains("not the last"), "{found:?}");
        }
    }
}
