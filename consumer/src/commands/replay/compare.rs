//! Which records' contents the tables have.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use deadpool_postgres::Client;
use uuid::Uuid;

use crate::batch::{Batch, Row};

/// By primary key, for which the store says why the time is compared as a range. An id that carries no time has the
/// one that is registered for it.
const HELD: &str = "\
SELECT k.at, a.id IS NOT NULL, a.content_digest = k.digest OR h.id IS NOT NULL
FROM unnest($1::uuid[], $2::timestamptz[], $3::bytea[]) WITH ORDINALITY AS k (id, created_at, digest, at)
LEFT JOIN audit_id i ON i.id = k.id
LEFT JOIN workflow_execution_audit a ON a.id = k.id
    AND a.created_at >= coalesce(i.created_at, k.created_at) AND a.created_at <= coalesce(i.created_at, k.created_at)
LEFT JOIN workflow_execution_audit_history h ON h.id = k.id AND h.content_digest = k.digest";
const OPEN: &str = "\
SELECT d.partition, d.\"offset\", d.record_timestamp
FROM unnest($2::int[], $3::bigint[], $4::bigint[]) AS k (partition, first, last)
JOIN audit_dead_letter d ON d.topic = $1 AND d.partition = k.partition AND d.\"offset\" BETWEEN k.first AND k.last
WHERE d.resolution IS NULL";
/// The store's reasons hold here as well: an empty table's plan would be kept.
const PROLOGUE: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; \
    SET LOCAL enable_mergejoin = off; SET LOCAL jit = off";

/// What the tables have of a record's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// Neither content nor id.
    Missing,
    /// The id, with other contents.
    Different,
    /// The content, as the current one or in history.
    Present,
}

/// What the tables have of a batch.
pub(super) struct Comparison {
    /// Of each row's content.
    pub(super) held: Vec<Held>,
    /// Whether each row's record is a dead letter that is open.
    pub(super) dead_letter: Vec<bool>,
}

/// Compares a batch with the tables, in one transaction.
///
/// # Errors
/// The database fails.
pub(super) async fn compare(
    client: &mut Client,
    batch: &Batch,
) -> Result<Comparison, tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(PROLOGUE).await?;
    let ids: Vec<Uuid> = batch.rows.iter().map(|row| row.id).collect();
    let times: Vec<DateTime<Utc>> = batch.rows.iter().map(|row| micros(row.created_at)).collect();
    let digests: Vec<&[u8]> = batch.rows.iter().map(|row| row.digest.as_bytes()).collect();
    let statement = transaction.prepare_cached(HELD).await?;
    let mut held = vec![Held::Missing; batch.rows.len()];
    for row in transaction.query(&statement, &[&ids, &times, &digests]).await? {
        let at = usize::try_from(row.get::<_, i64>(0) - 1).expect("ordinality begins at 1");
        held[at] = match (row.get(1), row.get::<_, Option<bool>>(2)) {
            (_, Some(true)) => Held::Present,
            (true, _) => Held::Different,
            (false, _) => Held::Missing,
        };
    }
    let partitions: Vec<i32> = batch.spans.iter().map(|span| span.partition).collect();
    let first: Vec<i64> = batch.spans.iter().map(|span| span.first_offset).collect();
    let last: Vec<i64> = batch.spans.iter().map(|span| span.last_offset).collect();
    let statement = transaction.prepare_cached(OPEN).await?;
    let open: BTreeSet<(i32, i64, i64)> = transaction
        .query(&statement, &[&&*batch.topic, &partitions, &first, &last])
        .await?
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get::<_, DateTime<Utc>>(2).timestamp_millis()))
        .collect();
    transaction.commit().await?;
    let place = |row: &Row| (row.version.partition, row.version.offset, row.version.timestamp_ms);
    let dead_letter = batch.rows.iter().map(|row| open.contains(&place(row))).collect();
    Ok(Comparison { held, dead_letter })
}

fn micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).expect("event times are within the calendar")
}
