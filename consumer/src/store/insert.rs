//! Ids that are new: straight into the table.

use std::collections::HashSet;

use audit_schema::version::Disposition;
use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::copy::copy;
use super::failure::Failure;
use super::group::Group;
use super::staging;
use crate::batch::{Batch, COLUMNS};

/// New ids: which rows are to be inserted, in the order that is everybody's.
pub(super) struct New<'a> {
    groups: &'a [Group],
    /// Groups whose id is new.
    missing: &'a [usize],
    /// Rows whose content is current.
    current: Vec<usize>,
    /// Groups and rows whose content is not.
    past: Vec<(usize, usize)>,
}

impl<'a> New<'a> {
    /// Folds the missing groups' rows, noting each row's disposition.
    pub(super) fn of(
        batch: &Batch,
        groups: &'a [Group],
        missing: &'a [usize],
        dispositions: &mut [Option<Disposition>],
    ) -> Self {
        let mut ordered = Vec::with_capacity(missing.len());
        let mut past = Vec::new();
        for at in missing {
            let group = &groups[*at];
            let contents = group.fold(&batch.rows, None, dispositions);
            if let [only] = group.rows[..] {
                ordered.push((group.created_at, only));
                continue;
            }
            let representatives = group.representatives(&batch.rows);
            ordered.push((group.created_at, representatives[&contents.current().digest]));
            past.extend(contents.history().map(|(digest, _)| (*at, representatives[&digest])));
        }
        // COPY writes partition after partition in the order in which they first occur, which must be one and the
        // same for everybody; within a partition it is that of the ids.
        ordered.sort_by_key(|(created_at, _)| *created_at);
        let current = ordered.into_iter().map(|(_, position)| position).collect();
        Self { groups, missing, current, past }
    }

    /// Copies them in. All or nothing: the transaction can go on whatever the answer is.
    ///
    /// # Errors
    /// [`Failure::Data`] if the table refuses a row, among others because it has the id.
    pub(super) async fn copy(
        &self,
        transaction: &mut Transaction<'_>,
        batch: &Batch,
    ) -> Result<(), Failure> {
        if self.current.is_empty() {
            return Ok(());
        }
        let savepoint = transaction.savepoint("new_rows").await?;
        let statement =
            format!("COPY workflow_execution_audit ({COLUMNS}) FROM STDIN (FORMAT binary)");
        match copy(&savepoint, &statement, batch, self.current.iter().copied()).await {
            Ok(()) => savepoint.commit().await?,
            Err(error) => {
                let failure = Failure::on_rows(error);
                if matches!(failure, Failure::Data(_)) {
                    savepoint.rollback().await?;
                }
                return Err(failure);
            }
        }
        self.copy_past(transaction, batch, &HashSet::new()).await
    }

    /// Inserts them one id at a time, past those that somebody else inserted meanwhile: these have to be looked up
    /// again.
    pub(super) async fn insert(
        &self,
        transaction: &Transaction<'_>,
        batch: &Batch,
    ) -> Result<Vec<usize>, Failure> {
        staging::fill(transaction, batch, self.current.iter().copied()).await?;
        let sql = format!(
            "INSERT INTO workflow_execution_audit ({COLUMNS}) SELECT {COLUMNS} FROM pg_temp.audit_staging \
             ORDER BY created_at, id ON CONFLICT DO NOTHING RETURNING id"
        );
        let statement = transaction.prepare_cached(&sql).await?;
        let inserted = transaction.query(&statement, &[]).await.map_err(Failure::on_rows)?;
        let inserted: HashSet<Uuid> = inserted.iter().map(|row| row.get(0)).collect();
        let raced: HashSet<usize> = self
            .missing
            .iter()
            .copied()
            .filter(|at| !inserted.contains(&self.groups[*at].id))
            .collect();
        self.copy_past(transaction, batch, &raced).await?;
        let mut raced: Vec<usize> = raced.into_iter().collect();
        raced.sort_unstable();
        Ok(raced)
    }

    /// The other contents of what was inserted go to history.
    async fn copy_past(
        &self,
        transaction: &Transaction<'_>,
        batch: &Batch,
        raced: &HashSet<usize>,
    ) -> Result<(), Failure> {
        let past: Vec<usize> = self
            .past
            .iter()
            .filter(|(at, _)| !raced.contains(at))
            .map(|(_, position)| *position)
            .collect();
        if past.is_empty() {
            return Ok(());
        }
        let statement =
            format!("COPY workflow_execution_audit_history ({COLUMNS}) FROM STDIN (FORMAT binary)");
        copy(transaction, &statement, batch, past.into_iter()).await.map_err(Failure::on_rows)
    }
}
