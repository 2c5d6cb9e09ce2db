//! What the table already has of the batch's ids.

use audit_schema::digest::Digest;
use audit_schema::version::{Ranked, Version};
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use uuid::Uuid;

use super::failure::Failure;
use super::group::{Group, timestamp};

/// Finds rows by primary key. The key's time is compared as a range of one: an equality would let the planner take
/// the index of `created_at` alone, which is smaller and, where many rows share a time, reads all of them for each
/// key. As a range it never looks selective enough, and partitions are still pruned.
const LOOK_UP: &str = "SELECT k.at, a.content_digest, a.record_timestamp, a.source_partition, a.source_offset \
    FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS k (id, created_at, at) \
    JOIN workflow_execution_audit a \
    ON a.id = k.id AND a.created_at >= k.created_at AND a.created_at <= k.created_at";

/// The current content of each chosen group that is in the table, by position in `groups`.
pub(super) async fn look_up(
    transaction: &Transaction<'_>,
    groups: &[Group],
    chosen: &[usize],
) -> Result<Vec<Option<Ranked>>, Failure> {
    let mut known = vec![None; groups.len()];
    if chosen.is_empty() {
        return Ok(known);
    }
    let (ids, times) = keys(groups, chosen);
    let statement = transaction.prepare_cached(LOOK_UP).await?;
    for row in transaction.query(&statement, &[&ids, &times]).await.map_err(Failure::on_rows)? {
        known[chosen[position(&row)]] = Some(ranked(&row, 1));
    }
    Ok(known)
}

/// The primary keys of the chosen groups, as parameters.
pub(super) fn keys(groups: &[Group], chosen: &[usize]) -> (Vec<Uuid>, Vec<DateTime<Utc>>) {
    chosen.iter().map(|at| (groups[*at].id, timestamp(groups[*at].created_at))).unzip()
}

/// The zero-based position from the ordinality in the first column.
pub(super) fn position(row: &Row) -> usize {
    usize::try_from(row.get::<_, i64>(0) - 1).expect("ordinality begins at 1")
}

/// Digest, record timestamp, partition and offset from four columns beginning at `first`.
pub(super) fn ranked(row: &Row, first: usize) -> Ranked {
    let digest = Digest::from_bytes(row.get(first)).expect("the table's CHECK says 32 bytes");
    Ranked { rank: version(row, first + 1), digest }
}

/// Record timestamp, partition and offset from three columns beginning at `first`.
pub(super) fn version(row: &Row, first: usize) -> Version {
    Version {
        timestamp_ms: row.get::<_, DateTime<Utc>>(first).timestamp_millis(),
        partition: row.get(first + 1),
        offset: row.get(first + 2),
    }
}
