//! Ids that the table has with another content or a lower rank.
//!
//! The rows are locked in the order of ids, what is then read goes through the pure version rule, and the difference
//! between before and after is applied.

use std::collections::{BTreeMap, HashMap};

use audit_schema::digest::Digest;
use audit_schema::version::{Contents, Disposition, Earliest, Ranked, Version};
use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::copy::copy;
use super::failure::Failure;
use super::group::{Group, record_timestamp};
use super::{known, staging};
use crate::batch::{Batch, COLUMNS};

const LOCK: &str = "SELECT k.at, a.content_digest, a.record_timestamp, a.source_partition, a.source_offset, a.source_topic \
    FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS k (id, created_at, at) \
    JOIN workflow_execution_audit a \
    ON a.id = k.id AND a.created_at >= k.created_at AND a.created_at <= k.created_at ORDER BY a.id FOR UPDATE OF a";
const HISTORY: &str = "SELECT id, content_digest, record_timestamp, source_partition, source_offset \
    FROM workflow_execution_audit_history WHERE id = ANY ($1)";
const RAISE_CURRENT: &str = "UPDATE workflow_execution_audit a SET source_topic = k.topic, source_partition = k.partition, \
    source_offset = k.record_offset, record_timestamp = k.time \
    FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::int[], $5::bigint[], $6::timestamptz[]) \
    AS k (id, created_at, topic, partition, record_offset, time) \
    WHERE a.id = k.id AND a.created_at >= k.created_at AND a.created_at <= k.created_at";
const RAISE_PAST: &str = "UPDATE workflow_execution_audit_history h SET source_topic = k.topic, \
    source_partition = k.partition, source_offset = k.record_offset, record_timestamp = k.time \
    FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::int[], $5::bigint[], $6::timestamptz[]) \
    AS k (id, digest, topic, partition, record_offset, time) WHERE h.id = k.id AND h.content_digest = k.digest";
/// This session may not delete: the function does it, and only what is current by then.
const FORGET_PAST: &str = "SELECT audit_leave_history($1, $2)";

/// What has to change in the tables.
#[derive(Default)]
struct Changes {
    /// Groups whose current row has a new rank.
    raise_current: Vec<(usize, Version)>,
    /// Groups whose current content goes to history.
    demote: Vec<usize>,
    /// Rows whose content becomes current.
    promote: Vec<usize>,
    /// Rows whose content is new and goes to history.
    late: Vec<usize>,
    /// Contents in history with a new rank.
    raise_past: Vec<(Uuid, Digest, Version)>,
    /// Contents that leave history because they are current again.
    forget_past: Vec<(Uuid, Digest)>,
}

pub(super) async fn settle(
    transaction: &Transaction<'_>,
    batch: &Batch,
    groups: &[Group],
    unsettled: &[usize],
    dispositions: &mut [Option<Disposition>],
) -> Result<(), Failure> {
    if unsettled.is_empty() {
        return Ok(());
    }
    let (ids, times) = known::keys(groups, unsettled);
    let statement = transaction.prepare_cached(LOCK).await?;
    let locked = transaction.query(&statement, &[&ids, &times]).await?;
    if locked.len() != unsettled.len() {
        return Err(Failure::Moved);
    }
    let statement = transaction.prepare_cached(HISTORY).await?;
    let mut history: HashMap<Uuid, BTreeMap<Digest, Version>> = HashMap::new();
    for row in transaction.query(&statement, &[&ids]).await? {
        let past = known::ranked(&row, 1);
        history.entry(row.get(0)).or_default().insert(past.digest, past.rank);
    }

    let mut changes = Changes::default();
    for row in locked {
        let at = unsettled[known::position(&row)];
        let group = &groups[at];
        let past = history.remove(&group.id).unwrap_or_default();
        let before = known::ranked(&row, 1);
        let earliest = Earliest { version: before.rank, created_at: group.created_at };
        let contents =
            Contents::restore(before, past.iter().map(|(digest, rank)| (*digest, *rank)), earliest);
        let after = group.fold(&batch.rows, Some(contents), dispositions);
        changes.note(at, group, &group.representatives(&batch.rows), before, &past, &after);
    }
    changes.apply(transaction, batch, groups).await
}

impl Changes {
    fn note(
        &mut self,
        at: usize,
        group: &Group,
        representatives: &BTreeMap<Digest, usize>,
        before: Ranked,
        past: &BTreeMap<Digest, Version>,
        after: &Contents,
    ) {
        let current = after.current();
        if current.digest == before.digest {
            if current.rank > before.rank {
                self.raise_current.push((at, current.rank));
            }
        } else {
            self.demote.push(at);
            // Only a record of this batch can have raised a content above the current one.
            self.promote.push(representatives[&current.digest]);
            if past.contains_key(&current.digest) {
                self.forget_past.push((group.id, current.digest));
            }
        }
        for (digest, rank) in after.history() {
            match past.get(&digest) {
                _ if digest == before.digest => {
                    if rank > before.rank {
                        self.raise_current.push((at, rank));
                    }
                }
                Some(known) if rank > *known => self.raise_past.push((group.id, digest, rank)),
                Some(_) => {}
                None => self.late.push(representatives[&digest]),
            }
        }
    }

    /// The order matters: a content that is demoted takes its new rank along, and leaves its row before another
    /// content comes in. What leaves history must be current by then.
    async fn apply(
        self,
        transaction: &Transaction<'_>,
        batch: &Batch,
        groups: &[Group],
    ) -> Result<(), Failure> {
        self.raise_current(transaction, batch, groups).await?;
        if !self.demote.is_empty() {
            let (ids, times) = known::keys(groups, &self.demote);
            let columns: Vec<String> =
                COLUMNS.split(", ").map(|column| format!("a.{}", column.trim())).collect();
            let sql = format!(
                "INSERT INTO workflow_execution_audit_history ({COLUMNS}, ingested_at) SELECT {}, a.ingested_at \
                 FROM unnest($1::uuid[], $2::timestamptz[]) AS k (id, created_at) \
                 JOIN workflow_execution_audit a ON a.id = k.id AND a.created_at >= k.created_at AND a.created_at <= k.created_at",
                columns.join(", ")
            );
            let statement = transaction.prepare_cached(&sql).await?;
            transaction.execute(&statement, &[&ids, &times]).await.map_err(Failure::on_rows)?;
        }
        if !self.promote.is_empty() {
            staging::fill(transaction, batch, self.promote.iter().copied()).await?;
            let sql = format!(
                "UPDATE workflow_execution_audit a SET {}, ingested_at = now() FROM pg_temp.audit_staging s \
                 WHERE a.id = s.id AND a.created_at >= s.created_at AND a.created_at <= s.created_at",
                content_assignments()
            );
            let statement = transaction.prepare_cached(&sql).await?;
            transaction.execute(&statement, &[]).await.map_err(Failure::on_rows)?;
        }
        if !self.forget_past.is_empty() {
            let (ids, digests): (Vec<Uuid>, Vec<&[u8]>) =
                self.forget_past.iter().map(|(id, digest)| (*id, digest.as_bytes())).unzip();
            let statement = transaction.prepare_cached(FORGET_PAST).await?;
            transaction.execute(&statement, &[&ids, &digests]).await?;
        }
        if !self.late.is_empty() {
            let statement = format!(
                "COPY workflow_execution_audit_history ({COLUMNS}) FROM STDIN (FORMAT binary)"
            );
            copy(transaction, &statement, batch, self.late.iter().copied())
                .await
                .map_err(Failure::on_rows)?;
        }
        self.raise_past(transaction, batch).await
    }

    async fn raise_current(
        &self,
        transaction: &Transaction<'_>,
        batch: &Batch,
        groups: &[Group],
    ) -> Result<(), Failure> {
        if self.raise_current.is_empty() {
            return Ok(());
        }
        let chosen: Vec<usize> = self.raise_current.iter().map(|(at, _)| *at).collect();
        let (ids, times) = known::keys(groups, &chosen);
        let ranks = Ranks::of(batch, self.raise_current.iter().map(|(_, rank)| *rank));
        let statement = transaction.prepare_cached(RAISE_CURRENT).await?;
        transaction
            .execute(
                &statement,
                &[&ids, &times, &ranks.topics, &ranks.partitions, &ranks.offsets, &ranks.times],
            )
            .await?;
        Ok(())
    }

    async fn raise_past(
        &self,
        transaction: &Transaction<'_>,
        batch: &Batch,
    ) -> Result<(), Failure> {
        if self.raise_past.is_empty() {
            return Ok(());
        }
        let (ids, digests): (Vec<Uuid>, Vec<&[u8]>) =
            self.raise_past.iter().map(|(id, digest, _)| (*id, digest.as_bytes())).unzip();
        let ranks = Ranks::of(batch, self.raise_past.iter().map(|(_, _, rank)| *rank));
        let statement = transaction.prepare_cached(RAISE_PAST).await?;
        transaction
            .execute(
                &statement,
                &[&ids, &digests, &ranks.topics, &ranks.partitions, &ranks.offsets, &ranks.times],
            )
            .await?;
        Ok(())
    }
}

/// Versions as parameters, column by column.
struct Ranks<'a> {
    topics: Vec<&'a str>,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    times: Vec<chrono::DateTime<chrono::Utc>>,
}

impl<'a> Ranks<'a> {
    fn of(batch: &'a Batch, ranks: impl Iterator<Item = Version>) -> Self {
        let mut all = Self {
            topics: Vec::new(),
            partitions: Vec::new(),
            offsets: Vec::new(),
            times: Vec::new(),
        };
        for rank in ranks {
            // A rank that rises was seen in this batch, so its topic is the batch's.
            all.topics.push(&batch.topic);
            all.partitions.push(rank.partition);
            all.offsets.push(rank.offset);
            all.times.push(record_timestamp(rank.timestamp_ms));
        }
        all
    }
}

/// `column = s.column` for all but the key.
fn content_assignments() -> String {
    let columns =
        COLUMNS.split(", ").map(str::trim).filter(|column| !matches!(*column, "id" | "created_at"));
    columns.map(|column| format!("{column} = s.{column}")).collect::<Vec<_>>().join(", ")
}
