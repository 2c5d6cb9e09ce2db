//! `created_at` of ids that do not carry their time: the one their earliest record gave them.
//!
//! `audit_id` holds it, and its rows are locked first and in the order of ids. While they are held nobody can move
//! such an id to another `created_at`, so the primary key of the events is as good as a unique id.

use std::collections::HashSet;

use audit_schema::version::Earliest;
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use tokio_postgres::Row as SqlRow;
use uuid::Uuid;

use super::failure::Failure;
use super::group::{Group, record_timestamp, timestamp};
use super::known;
use crate::batch::Row;

const LOCK: &str = "SELECT k.at, i.record_timestamp, i.source_partition, i.source_offset, i.created_at \
    FROM unnest($1::uuid[]) WITH ORDINALITY AS k (id, at) JOIN audit_id i ON i.id = k.id ORDER BY i.id FOR UPDATE OF i";
const REGISTER: &str = "INSERT INTO audit_id (id, created_at, record_timestamp, source_partition, source_offset) \
    SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::int[], $5::bigint[]) \
    ON CONFLICT DO NOTHING";

/// Sets `created_at` of every group whose id carries no time, registering new ids on the way.
pub(super) async fn settle_created_at(
    transaction: &Transaction<'_>,
    rows: &[Row],
    groups: &mut [Group],
) -> Result<(), Failure> {
    let mut open: Vec<usize> =
        (0..groups.len()).filter(|at| !rows[groups[*at].rows[0]].dated).collect();
    // New ids before the locks on known ones: then nobody who holds such a lock waits for a registration, and both
    // are taken in the order of ids. Where some were known, all are looked up: what was registered just now says the
    // same as this batch. Only an id that was forgotten in between takes another round.
    while !open.is_empty() && register(transaction, rows, groups, &open).await? < open.len() {
        let ids: Vec<Uuid> = open.iter().map(|at| groups[*at].id).collect();
        let statement = transaction.prepare_cached(LOCK).await?;
        let mut locked = HashSet::new();
        for row in transaction.query(&statement, &[&ids]).await? {
            let at = open[known::position(&row)];
            locked.insert(at);
            adopt(transaction, rows, &mut groups[at], &stored(&row)).await?;
        }
        open.retain(|at| !locked.contains(at));
    }
    Ok(())
}

/// Registers the groups' ids that are new; gives how many were.
async fn register(
    transaction: &Transaction<'_>,
    rows: &[Row],
    groups: &[Group],
    open: &[usize],
) -> Result<usize, Failure> {
    let earliest: Vec<Earliest> = open.iter().map(|at| groups[*at].earliest(rows)).collect();
    let ids: Vec<Uuid> = open.iter().map(|at| groups[*at].id).collect();
    let created: Vec<DateTime<Utc>> =
        earliest.iter().map(|first| timestamp(first.created_at)).collect();
    let times: Vec<DateTime<Utc>> =
        earliest.iter().map(|first| record_timestamp(first.version.timestamp_ms)).collect();
    let partitions: Vec<i32> = earliest.iter().map(|first| first.version.partition).collect();
    let offsets: Vec<i64> = earliest.iter().map(|first| first.version.offset).collect();
    let statement = transaction.prepare_cached(REGISTER).await?;
    let registered = transaction
        .execute(&statement, &[&ids, &created, &times, &partitions, &offsets])
        .await
        .map_err(Failure::on_rows)?;
    Ok(usize::try_from(registered).unwrap_or(0))
}

/// Takes over the registered `created_at`, or moves the id if this batch has an earlier record of it.
async fn adopt(
    transaction: &Transaction<'_>,
    rows: &[Row],
    group: &mut Group,
    stored: &Earliest,
) -> Result<(), Failure> {
    let ours = group.earliest(rows);
    let earliest = ours.min(*stored);
    group.created_at = earliest.created_at;
    if earliest == *stored {
        return Ok(());
    }
    let new = timestamp(ours.created_at);
    let time = record_timestamp(ours.version.timestamp_ms);
    let registry = "UPDATE audit_id SET created_at = $2, record_timestamp = $3, source_partition = $4, source_offset = $5 \
                    WHERE id = $1";
    let (partition, offset) = (ours.version.partition, ours.version.offset);
    transaction
        .execute(registry, &[&group.id, &new, &time, &partition, &offset])
        .await
        .map_err(Failure::on_rows)?;
    if ours.created_at != stored.created_at {
        let old = timestamp(stored.created_at);
        let current =
            "UPDATE workflow_execution_audit SET created_at = $3 WHERE id = $1 AND created_at = $2";
        transaction.execute(current, &[&group.id, &old, &new]).await.map_err(Failure::on_rows)?;
        let past = "UPDATE workflow_execution_audit_history SET created_at = $2 WHERE id = $1";
        transaction.execute(past, &[&group.id, &new]).await.map_err(Failure::on_rows)?;
    }
    Ok(())
}

fn stored(row: &SqlRow) -> Earliest {
    let created_at = row.get::<_, DateTime<Utc>>(4).timestamp_micros();
    Earliest { version: known::version(row, 1), created_at }
}
