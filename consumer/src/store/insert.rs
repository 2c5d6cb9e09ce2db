//! Ids that are new: straight into the table.

use std::collections::HashSet;

use audit_schema::version::Contents;
use deadpool_postgres::Transaction;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::copy::copy;
use super::failure::Failure;
use super::group::Group;
use super::staging;
use crate::batch::{Batch, COLUMNS};

/// Inserts the current content of each missing group, and its other contents into history. Gives the groups that
/// somebody else inserted at the same time: they have to be looked up again.
pub(super) async fn insert(
    transaction: &mut Transaction<'_>,
    batch: &Batch,
    groups: &[Group],
    missing: &[usize],
    folded: &[Contents],
) -> Result<Vec<usize>, Failure> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let mut ordered = Vec::with_capacity(missing.len());
    let mut past = Vec::new();
    for (at, contents) in missing.iter().zip(folded) {
        let group = &groups[*at];
        if let [only] = group.rows[..] {
            ordered.push((group.created_at, only));
            continue;
        }
        let representatives = group.representatives(&batch.rows);
        ordered.push((group.created_at, representatives[&contents.current().digest]));
        past.extend(contents.history().map(|(digest, _)| (group.id, representatives[&digest])));
    }

    // COPY writes partition after partition in the order in which they first occur, which must be one and the same
    // for everybody; within a partition it is that of the ids.
    ordered.sort_by_key(|(created_at, _)| *created_at);
    let current: Vec<usize> = ordered.into_iter().map(|(_, position)| position).collect();

    let savepoint = transaction.savepoint("new_rows").await?;
    let statement = format!("COPY workflow_execution_audit ({COLUMNS}) FROM STDIN (FORMAT binary)");
    let raced = match copy(&savepoint, &statement, batch, current.iter().copied()).await {
        Ok(()) => {
            savepoint.commit().await?;
            Vec::new()
        }
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            savepoint.rollback().await?;
            let inserted = insert_staged(transaction, batch, &current).await?;
            missing.iter().copied().filter(|at| !inserted.contains(&groups[*at].id)).collect()
        }
        Err(error) => return Err(Failure::on_rows(error)),
    };
    past.retain(|(id, _)| !raced.iter().any(|at: &usize| groups[*at].id == *id));
    if !past.is_empty() {
        let statement =
            format!("COPY workflow_execution_audit_history ({COLUMNS}) FROM STDIN (FORMAT binary)");
        copy(transaction, &statement, batch, past.into_iter().map(|(_, position)| position))
            .await
            .map_err(Failure::on_rows)?;
    }
    Ok(raced)
}

/// The same, one id at a time past those that are there meanwhile; gives the ids that were inserted.
async fn insert_staged(
    transaction: &Transaction<'_>,
    batch: &Batch,
    rows: &[usize],
) -> Result<HashSet<Uuid>, Failure> {
    staging::fill(transaction, batch, rows.iter().copied()).await?;
    let sql = format!(
        "INSERT INTO workflow_execution_audit ({COLUMNS}) SELECT {COLUMNS} FROM pg_temp.audit_staging \
         ORDER BY created_at, id ON CONFLICT DO NOTHING RETURNING id"
    );
    let statement = transaction.prepare_cached(&sql).await?;
    let inserted = transaction.query(&statement, &[]).await.map_err(Failure::on_rows)?;
    Ok(inserted.iter().map(|row| row.get(0)).collect())
}
