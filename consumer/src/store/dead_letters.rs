//! Records that cannot become rows, and those that could after all.

use std::collections::{HashMap, HashSet};

use audit_schema::version::{Disposition, Version};
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;

use super::Store;
use super::failure::Failure;
use super::group::record_timestamp;
use crate::batch::{Batch, DeadLetter};

/// What the error text may have at most; the table's CHECK is wider.
const MAX_TEXT_CHARS: usize = 2_000;

const INSERT: &str = "INSERT INTO audit_dead_letter AS d \
    (topic, partition, \"offset\", record_timestamp, key, value, header_names, header_values, error_code, error_text) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
    ON CONFLICT (topic, partition, \"offset\", record_timestamp) DO UPDATE SET attempts = d.attempts + 1, \
    last_seen = now(), error_code = excluded.error_code, error_text = excluded.error_text \
    RETURNING attempts";
const OPEN: &str = "SELECT k.at, d.\"offset\" FROM unnest($2::int[], $3::bigint[], $4::bigint[]) \
    WITH ORDINALITY AS k (partition, first, last, at) JOIN audit_dead_letter d ON d.topic = $1 \
    AND d.partition = k.partition AND d.\"offset\" BETWEEN k.first AND k.last WHERE d.resolution IS NULL";
/// In the order that is everybody's.
const LOCK_OPEN: &str = "SELECT k.at FROM unnest($2::int[], $3::bigint[], $4::timestamptz[]) \
    WITH ORDINALITY AS k (partition, record_offset, time, at) JOIN audit_dead_letter d ON d.topic = $1 \
    AND d.partition = k.partition AND d.\"offset\" = k.record_offset AND d.record_timestamp = k.time \
    WHERE d.resolution IS NULL ORDER BY d.partition, d.\"offset\", d.record_timestamp FOR UPDATE OF d";
const RESOLVE_RETRIED: &str = "UPDATE audit_dead_letter d SET resolution = 'stored', resolved_at = now(), \
    resolved_by = coalesce($6, session_user), retried_as = k.disposition, attempts = d.attempts + 1, last_seen = now() \
    FROM unnest($2::int[], $3::bigint[], $4::timestamptz[], $5::text[]) AS k (partition, record_offset, time, disposition) \
    WHERE d.topic = $1 AND d.partition = k.partition AND d.\"offset\" = k.record_offset AND d.record_timestamp = k.time";
const STILL_DEAD: &str = "UPDATE audit_dead_letter d SET attempts = d.attempts + 1, last_seen = now(), \
    error_code = k.code, error_text = k.text \
    FROM unnest($2::int[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[]) \
    AS k (partition, record_offset, time, code, text) \
    WHERE d.topic = $1 AND d.partition = k.partition AND d.\"offset\" = k.record_offset AND d.record_timestamp = k.time";
const RESOLVE: &str = "UPDATE audit_dead_letter SET resolution = 'stored', resolved_at = now(), resolved_by = $5 \
    WHERE topic = $1 AND partition = $2 AND \"offset\" = $3 AND record_timestamp = $4 AND resolution IS NULL";

/// Writes the batch's dead letters. True for each that was there already.
pub(super) async fn write(
    transaction: &Transaction<'_>,
    store: &Store,
    batch: &Batch,
) -> Result<Vec<bool>, Failure> {
    let mut repeated = vec![false; batch.dead_letters.len()];
    if batch.dead_letters.is_empty() {
        return Ok(repeated);
    }
    // Other streams may write the same ones: everybody takes them in the order of the log.
    let mut order: Vec<usize> = (0..batch.dead_letters.len()).collect();
    order.sort_unstable_by_key(|at| {
        let raw = batch.raw(batch.dead_letters[*at].place);
        (raw.partition(), raw.offset())
    });
    let statement = transaction.prepare_cached(INSERT).await?;
    for at in order {
        let letter = &batch.dead_letters[at];
        let raw = batch.raw(letter.place);
        let (names, values): (Vec<&[u8]>, Vec<Option<&[u8]>>) =
            raw.headers().map(|(name, value)| (name.as_bytes(), value)).unzip();
        let time = record_timestamp(raw.timestamp_ms());
        let row = transaction
            .query_one(
                &statement,
                &[
                    &&*store.topic,
                    &raw.partition(),
                    &raw.offset(),
                    &time,
                    &raw.key(),
                    &raw.value(),
                    &names,
                    &values,
                    &letter.code.as_str(),
                    &bounded(letter),
                ],
            )
            .await?;
        repeated[at] = row.get::<_, i32>(0) > 1;
    }
    Ok(repeated)
}

/// Resolves the open dead letters of records that this batch has stored.
pub(super) async fn resolve_stored(
    transaction: &Transaction<'_>,
    store: &Store,
    batch: &Batch,
) -> Result<(), Failure> {
    let partitions: Vec<i32> = batch.spans.iter().map(|span| span.partition).collect();
    let first: Vec<i64> = batch.spans.iter().map(|span| span.first_offset).collect();
    let last: Vec<i64> = batch.spans.iter().map(|span| span.last_offset).collect();
    let statement = transaction.prepare_cached(OPEN).await?;
    let open = transaction.query(&statement, &[&&*store.topic, &partitions, &first, &last]).await?;
    if open.is_empty() {
        return Ok(());
    }
    let stored: HashMap<(i32, i64), i64> = batch
        .rows
        .iter()
        .map(|row| ((row.version.partition, row.version.offset), row.version.timestamp_ms))
        .collect();
    let statement = transaction.prepare_cached(RESOLVE).await?;
    for row in open {
        let partition = partitions[super::known::position(&row)];
        let offset: i64 = row.get(1);
        if let Some(time) = stored.get(&(partition, offset)) {
            let time = record_timestamp(*time);
            transaction
                .execute(&statement, &[&&*store.topic, &partition, &offset, &time, &&*store.stream])
                .await?;
        }
    }
    Ok(())
}

/// Resolves the dead letters that the batch was made of, and says anew of the others what is wrong with them.
///
/// # Errors
/// [`Failure::Resolved`] if some are not open any more: nothing of the batch may be committed then.
pub(super) async fn settle_retried(
    transaction: &Transaction<'_>,
    batch: &Batch,
    dispositions: &[Option<Disposition>],
    by: Option<&str>,
) -> Result<(), Failure> {
    let rows: Vec<Version> = batch.rows.iter().map(|row| row.version).collect();
    let dead: Vec<Version> =
        batch.dead_letters.iter().map(|letter| batch.raw(letter.place).version()).collect();
    let all: Vec<Version> = rows.iter().chain(&dead).copied().collect();
    let Keys { partitions, offsets, times } = keys(&all);
    let statement = transaction.prepare_cached(LOCK_OPEN).await?;
    let open =
        transaction.query(&statement, &[&&*batch.topic, &partitions, &offsets, &times]).await?;
    if open.len() < all.len() {
        let open: HashSet<usize> = open.iter().map(super::known::position).collect();
        let resolved = all.iter().enumerate().filter(|(at, _)| !open.contains(at));
        return Err(Failure::Resolved(resolved.map(|(_, version)| *version).collect()));
    }
    let Keys { partitions, offsets, times } = keys(&rows);
    let names: Vec<&str> = dispositions.iter().flatten().map(|one| one.as_str()).collect();
    let statement = transaction.prepare_cached(RESOLVE_RETRIED).await?;
    transaction
        .execute(&statement, &[&&*batch.topic, &partitions, &offsets, &times, &names, &by])
        .await?;
    let Keys { partitions, offsets, times } = keys(&dead);
    let codes: Vec<&str> = batch.dead_letters.iter().map(|letter| letter.code.as_str()).collect();
    let texts: Vec<String> = batch.dead_letters.iter().map(bounded).collect();
    let statement = transaction.prepare_cached(STILL_DEAD).await?;
    transaction
        .execute(&statement, &[&&*batch.topic, &partitions, &offsets, &times, &codes, &texts])
        .await?;
    Ok(())
}

/// Primary keys of dead letters, column by column.
struct Keys {
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    times: Vec<DateTime<Utc>>,
}

fn keys(versions: &[Version]) -> Keys {
    Keys {
        partitions: versions.iter().map(|version| version.partition).collect(),
        offsets: versions.iter().map(|version| version.offset).collect(),
        times: versions.iter().map(|version| record_timestamp(version.timestamp_ms)).collect(),
    }
}

/// The text within its bound and without NUL, which PostgreSQL's text cannot hold.
fn bounded(letter: &DeadLetter) -> String {
    letter.text.chars().filter(|c| *c != '\0').take(MAX_TEXT_CHARS).collect()
}
