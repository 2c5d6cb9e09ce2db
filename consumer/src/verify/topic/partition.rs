//! Reads one partition: its records, the dead letters of some of them, and the ledger rows that count them.

use std::ops::Range;

use audit_schema::decode::Decoder;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::Reading;
use super::area::{Extent, union};
use super::letters::Cursor;
use super::reader::Reader;
use crate::batch::{decode, fingerprint};
use crate::kafka::Watermarks;
use crate::source::RawRecord;
use crate::verify::entry::{Entry, Origin};
use crate::verify::finding::{Finding, Findings};
use crate::verify::ledger::{Account, Batch};
use crate::verify::letters::Letter;

/// What is read of a partition.
pub(super) struct Plan {
    topic: String,
    pub(super) partition: i32,
    extent: Extent,
    books: Vec<Book>,
}

/// The ledger rows of one stream, each with the records that were found in its range.
struct Book {
    stream: String,
    rows: Vec<(Batch, i64)>,
    /// The row that the next record is in, or one before it.
    at: usize,
}

impl Book {
    fn of(account: &Account) -> Self {
        let rows = account.batches.iter().map(|batch| (*batch, 0)).collect();
        Self { stream: account.stream.clone(), rows, at: 0 }
    }

    fn count(&mut self, offset: i64) {
        while self.rows.get(self.at).is_some_and(|(batch, _)| batch.last < offset) {
            self.at += 1;
        }
        if let Some((batch, records)) = self.rows.get_mut(self.at)
            && batch.first <= offset
        {
            *records += 1;
        }
    }
}

impl Plan {
    /// What these streams have accounted for, as far as the log has it.
    pub(super) fn make(
        reader: &Reader,
        partition: i32,
        accounts: &[&Account],
        since: Option<DateTime<Utc>>,
    ) -> anyhow::Result<Self> {
        let log = reader.watermarks(partition)?;
        let start = match since {
            Some(since) => reader.first_from(partition, since)?.unwrap_or(log.high),
            None => log.low,
        };
        let (mut read, mut former, mut books) = (Vec::new(), Vec::new(), Vec::new());
        for account in accounts {
            let Some(offsets) = account.offsets.clone() else { continue };
            if is_of_this_topic(reader, account, &offsets, log)? {
                read.push(offsets.start.max(start)..offsets.end);
                books.push(Book::of(account));
            } else {
                tracing::warn!(
                    stream = account.stream,
                    partition,
                    "has read a topic of this name that is no more: nothing is said of its records"
                );
                former.push(offsets);
            }
        }
        let extent = Extent { read: union(read), former };
        Ok(Self { topic: reader.topic().to_owned(), partition, extent, books })
    }

    /// How many offsets will be read.
    pub(super) fn offsets(&self) -> u64 {
        self.extent.read.iter().map(|range| (range.end - range.start).unsigned_abs()).sum()
    }

    pub(super) fn read(
        &mut self,
        reader: &Reader,
        decoder: &mut Decoder,
        letters: &mut Cursor,
        reading: &mut Reading<'_>,
    ) -> anyhow::Result<()> {
        let partition = self.partition;
        for range in self.extent.read.clone() {
            reader.read(partition, range.clone(), |chunk| {
                let raw = chunk.record(0);
                while let Some(letter) = letters.before(partition, raw.offset())? {
                    self.without_record(reader, &letter, reading.findings)?;
                }
                let mut letter = None;
                while let Some(one) = letters.at(partition, raw.offset())? {
                    if one.timestamp_ms == raw.timestamp_ms() {
                        letter = Some(one);
                    } else {
                        self.without_record(reader, &one, reading.findings)?;
                    }
                }
                self.books.iter_mut().for_each(|book| book.count(raw.offset()));
                reading.progress.advance();
                self.record(raw, letter, decoder, reading)
            })?;
            while let Some(letter) = letters.before(partition, range.end)? {
                self.without_record(reader, &letter, reading.findings)?;
            }
        }
        Ok(())
    }

    /// What the record comes to: an entry, or a dead letter that must be there.
    fn record(
        &self,
        raw: RawRecord<'_>,
        letter: Option<Letter>,
        decoder: &mut Decoder,
        reading: &mut Reading<'_>,
    ) -> anyhow::Result<()> {
        let mut finding = |found: String| {
            let finding = Finding::new("dead letter", found);
            reading.findings.push(finding.at(&self.topic, raw.partition(), raw.offset()));
        };
        let digest: [u8; 32] = Sha256::digest(raw.value().unwrap_or_default()).into();
        if letter.is_some_and(|letter| letter.digest != digest) {
            finding("has other bytes than its record".to_owned());
        }
        // What is open or discarded is not stored, though it may decode by now or be refused by the database alone.
        let expected = letter.is_none_or(|letter| letter.stored);
        match decode(decoder, raw) {
            Ok(decoded) if expected => {
                let entry = Entry {
                    id: decoded.id,
                    origin: Origin::Record,
                    version: decoded.version,
                    digest: decoded.digest,
                    created_at: decoded.created_at,
                    of_topic: true,
                };
                reading.entries.push(entry.to_bytes())?;
            }
            Err(rejection) if expected => {
                let code = rejection.code.as_str();
                finding(match letter {
                    Some(_) => format!("is resolved as stored, and its record cannot be: {code}"),
                    None => format!("is missing, and its record cannot be stored: {code}"),
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// A dead letter whose record did not come; it may have been deleted from the topic since the reading began.
    fn without_record(
        &self,
        reader: &Reader,
        letter: &Letter,
        findings: &mut Findings,
    ) -> anyhow::Result<()> {
        if letter.partition == self.partition
            && self.extent.has(letter.offset)
            && letter.offset >= reader.watermarks(self.partition)?.low
        {
            let finding = Finding::new("dead letter", "the topic has no such record");
            findings.push(finding.at(&self.topic, letter.partition, letter.offset));
        }
        Ok(())
    }

    /// Compares the ledger's counts, and says what was read and is still there.
    pub(super) fn finish(
        mut self,
        reader: &Reader,
        findings: &mut Findings,
    ) -> anyhow::Result<Extent> {
        let low = reader.watermarks(self.partition)?.low;
        let still_there = |range: &Range<i64>| range.start.max(low)..range.end;
        self.extent.read = union(self.extent.read.iter().map(still_there).collect());
        for Book { stream, rows, .. } in &self.books {
            for (batch, found) in rows {
                let whole = self.extent.has(batch.first) && self.extent.has(batch.last);
                if whole && batch.records() != *found {
                    let found = format!(
                        "counts {} records, the topic has {found} (the others are gaps)",
                        batch.records()
                    );
                    let finding = Finding::new("ledger", found).in_stream(stream);
                    findings.push(finding.over(
                        &self.topic,
                        self.partition,
                        batch.first,
                        batch.last,
                    ));
                }
            }
        }
        Ok(self.extent)
    }
}

/// Whether the stream has read this topic, and not one that had the name before: by the last record it has read.
fn is_of_this_topic(
    reader: &Reader,
    account: &Account,
    offsets: &Range<i64>,
    log: Watermarks,
) -> anyhow::Result<bool> {
    if offsets.end > log.high {
        return Ok(false);
    }
    let Some(last) = account.last.as_ref().filter(|last| last.offset >= log.low) else {
        return Ok(true);
    };
    let mut same = None;
    reader.read(account.partition, last.offset..last.offset + 1, |chunk| {
        same = Some(fingerprint(chunk.record(0)) == *last);
        Ok(())
    })?;
    // Without a record there, it may have been deleted just now.
    match same {
        Some(same) => Ok(same),
        None => Ok(reader.watermarks(account.partition)?.low > last.offset),
    }
}
