//! The account of every offset: the fence, the ledger, the stream's position.

use std::iter::Sum;

use audit_schema::version::Disposition;
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;

use super::Store;
use super::failure::Failure;
use super::group::record_timestamp;
use crate::batch::{Batch, Span};
use crate::claim::ClaimId;

/// Locks the batch's streams in the order of partitions; every transaction takes them last and in this order.
const LOCK: &str = "SELECT partition, epoch, next_offset FROM audit_stream \
    WHERE stream = $1 AND topic = $2 AND partition = ANY ($3) ORDER BY topic, partition FOR UPDATE";

/// Moves each stream's position from the batch's first offset to past its last, and extends the open ledger row or
/// opens the next. A ledger row is full at 10,000 offsets or an hour.
const ADVANCE: &str = "\
WITH part AS (
    SELECT * FROM unnest($3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
        $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::timestamptz[], $15::bytea[])
    AS p (partition, epoch, first_offset, last_offset, stored, duplicate, superseding, late, dead_lettered, gap,
        record_offset, record_time, record_digest)
),
moved AS (
    UPDATE audit_stream s SET
        next_offset = p.last_offset + 1,
        open_batch = CASE
            WHEN b.last_offset - b.first_offset + 1 < 10000 AND b.opened_at > now() - interval '1 hour'
            THEN b.first_offset ELSE p.first_offset
        END,
        last_offset = coalesce(p.record_offset, s.last_offset),
        last_timestamp = coalesce(p.record_time, s.last_timestamp),
        last_digest = coalesce(p.record_digest, s.last_digest),
        owner_backend_pid = pg_backend_pid(),
        owner_backend_start = (SELECT backend_start FROM pg_stat_get_activity(pg_backend_pid()))
    FROM part p
    JOIN audit_stream before ON before.stream = $1 AND before.topic = $2 AND before.partition = p.partition
    LEFT JOIN audit_batch b ON b.stream = $1 AND b.topic = $2 AND b.partition = p.partition
        AND b.first_offset = before.open_batch
    WHERE s.stream = $1 AND s.topic = $2 AND s.partition = p.partition
        AND s.epoch = p.epoch AND s.next_offset = p.first_offset
    RETURNING s.open_batch, p.*
),
extended AS (
    UPDATE audit_batch b SET
        last_offset = m.last_offset,
        stored = b.stored + m.stored,
        duplicate = b.duplicate + m.duplicate,
        superseding = b.superseding + m.superseding,
        late = b.late + m.late,
        dead_lettered = b.dead_lettered + m.dead_lettered,
        gap = b.gap + m.gap,
        updated_at = now()
    FROM moved m
    WHERE m.open_batch <> m.first_offset AND b.stream = $1 AND b.topic = $2 AND b.partition = m.partition
        AND b.first_offset = m.open_batch AND b.last_offset = m.first_offset - 1
    RETURNING 1
),
opened AS (
    INSERT INTO audit_batch (stream, topic, partition, first_offset, last_offset, stored, duplicate, superseding, late,
        dead_lettered, gap)
    SELECT $1, $2, m.partition, m.first_offset, m.last_offset, m.stored, m.duplicate, m.superseding, m.late,
        m.dead_lettered, m.gap
    FROM moved m WHERE m.open_batch = m.first_offset
    RETURNING 1
)
SELECT (SELECT count(*) FROM extended) + (SELECT count(*) FROM opened)";

/// What became of the offsets of one span.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// New ids.
    pub stored: i64,
    /// Contents and dead letters that were held already.
    pub duplicate: i64,
    /// New contents that became current.
    pub superseding: i64,
    /// New contents that went to history.
    pub late: i64,
    /// New dead letters.
    pub dead_lettered: i64,
    /// Offsets without a record.
    pub gap: i64,
}

impl Counts {
    /// The counts under the names of metrics and ledger.
    pub fn named(&self) -> [(&'static str, i64); 6] {
        [
            ("stored", self.stored),
            ("duplicate", self.duplicate),
            ("superseding", self.superseding),
            ("late", self.late),
            ("dead_lettered", self.dead_lettered),
            ("gap", self.gap),
        ]
    }
}

impl<'a> Sum<&'a Self> for Counts {
    fn sum<I: Iterator<Item = &'a Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, one| Self {
            stored: sum.stored + one.stored,
            duplicate: sum.duplicate + one.duplicate,
            superseding: sum.superseding + one.superseding,
            late: sum.late + one.late,
            dead_lettered: sum.dead_lettered + one.dead_lettered,
            gap: sum.gap + one.gap,
        })
    }
}

/// Counts what became of each record, span by span. Nothing is derived from the range: the ledger's CHECK is to find
/// a record that was counted nowhere.
pub(super) fn count(
    batch: &Batch,
    dispositions: &[Option<Disposition>],
    repeated: &[bool],
) -> Vec<Counts> {
    let mut counts: Vec<Counts> =
        batch.spans.iter().map(|span| Counts { gap: span.gap, ..Counts::default() }).collect();
    for (row, disposition) in batch.rows.iter().zip(dispositions) {
        let counts = &mut counts[row.span];
        match disposition {
            Some(Disposition::Stored) => counts.stored += 1,
            Some(Disposition::Duplicate) => counts.duplicate += 1,
            Some(Disposition::Superseding) => counts.superseding += 1,
            Some(Disposition::Late) => counts.late += 1,
            None => {}
        }
    }
    for (letter, repeated) in batch.dead_letters.iter().zip(repeated) {
        let counts = &mut counts[letter.span];
        if *repeated {
            counts.duplicate += 1;
        } else {
            counts.dead_lettered += 1;
        }
    }
    counts
}

/// Whether an earlier attempt at this batch was committed. Waits for that attempt's session to let go of the rows.
pub(super) async fn is_committed(
    transaction: &Transaction<'_>,
    store: &Store,
    spans: &[Span],
) -> Result<bool, Failure> {
    let streams = lock(transaction, store, spans).await?;
    // One transaction wrote all spans, so one that is found done speaks for all.
    Ok(spans.iter().any(|span| {
        streams.iter().any(|stream| {
            stream.partition == span.partition
                && stream.epoch == span.epoch
                && stream.next_offset == Some(span.last_offset + 1)
        })
    }))
}

/// Compares and swaps every stream's (epoch, offset), and books the offsets.
pub(super) async fn advance(
    transaction: &Transaction<'_>,
    store: &Store,
    spans: &[Span],
    counts: &[Counts],
) -> Result<(), Failure> {
    let streams = lock(transaction, store, spans).await?;
    let fenced: Vec<ClaimId> = spans
        .iter()
        .filter(|span| {
            !streams.iter().any(|stream| {
                stream.partition == span.partition
                    && stream.epoch == span.epoch
                    && stream.next_offset == Some(span.first_offset)
            })
        })
        .map(|span| span.claim)
        .collect();
    if !fenced.is_empty() {
        return Err(Failure::Fenced(fenced));
    }
    let longs = |pick: fn(&Span) -> i64| spans.iter().map(pick).collect::<Vec<i64>>();
    let sums = |pick: fn(&Counts) -> i64| counts.iter().map(pick).collect::<Vec<i64>>();
    let partitions: Vec<i32> = spans.iter().map(|span| span.partition).collect();
    let last = |span: &Span| span.last_record.clone();
    let offsets: Vec<Option<i64>> =
        spans.iter().map(|span| last(span).map(|last| last.offset)).collect();
    let times: Vec<Option<DateTime<Utc>>> = spans
        .iter()
        .map(|span| last(span).map(|last| record_timestamp(last.timestamp_ms)))
        .collect();
    let digests: Vec<Option<Vec<u8>>> =
        spans.iter().map(|span| last(span).map(|last| last.digest.to_vec())).collect();
    let statement = transaction.prepare_cached(ADVANCE).await?;
    let booked: i64 = transaction
        .query_one(
            &statement,
            &[
                &&*store.stream,
                &&*store.topic,
                &partitions,
                &longs(|span| span.epoch),
                &longs(|span| span.first_offset),
                &longs(|span| span.last_offset),
                &sums(|counts| counts.stored),
                &sums(|counts| counts.duplicate),
                &sums(|counts| counts.superseding),
                &sums(|counts| counts.late),
                &sums(|counts| counts.dead_lettered),
                &sums(|counts| counts.gap),
                &offsets,
                &times,
                &digests,
            ],
        )
        .await
        .map_err(Failure::on_ledger)?
        .get(0);
    if usize::try_from(booked).ok() == Some(spans.len()) {
        Ok(())
    } else {
        Err(Failure::LedgerBroken)
    }
}

struct Stream {
    partition: i32,
    epoch: i64,
    next_offset: Option<i64>,
}

async fn lock(
    transaction: &Transaction<'_>,
    store: &Store,
    spans: &[Span],
) -> Result<Vec<Stream>, Failure> {
    let partitions: Vec<i32> = spans.iter().map(|span| span.partition).collect();
    let statement = transaction.prepare_cached(LOCK).await?;
    let rows =
        transaction.query(&statement, &[&&*store.stream, &&*store.topic, &partitions]).await?;
    Ok(rows
        .iter()
        .map(|row| Stream { partition: row.get(0), epoch: row.get(1), next_offset: row.get(2) })
        .collect())
}
