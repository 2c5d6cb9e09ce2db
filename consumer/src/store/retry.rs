//! Dead letters that are tried again: the same rows by the same rules, but no offset to account for.

use audit_schema::version::Disposition;
use deadpool_postgres::Client;

use super::failure::Failure;
use super::outlook::Outlook;
use super::{PROLOGUE, Store, dead_letters, rows};
use crate::batch::Batch;

impl Store {
    /// Writes a batch of open dead letters' records and resolves those that can be stored, in one transaction. `by` is
    /// who does it, else the database user. A dry run does all of it and takes it back.
    ///
    /// Ledgers stay as they are: a stream has counted these records when it read them. What became of each is in
    /// `audit_dead_letter.retried_as`.
    ///
    /// Gives the disposition of each row by position in [`Batch::rows`]; what is in [`Batch::dead_letters`] is still dead.
    ///
    /// # Errors
    /// [`Failure`]; nothing of the batch is in the database then, unless only the answer to the COMMIT was lost.
    /// [`Failure::Resolved`] names those that are not open any more.
    pub async fn retry(
        &self,
        client: &mut Client,
        batch: &mut Batch,
        by: Option<&str>,
        dry_run: bool,
    ) -> Result<Vec<Option<Disposition>>, Failure> {
        let mut transaction = client.transaction().await?;
        transaction.batch_execute(PROLOGUE).await?;
        let all: Vec<usize> = (0..batch.rows.len()).collect();
        let mut outlook = Outlook::default();
        let dispositions = rows::write(&mut transaction, batch, &all, &mut outlook).await?;
        dead_letters::settle_retried(&transaction, batch, &dispositions, by).await?;
        if dry_run {
            transaction.rollback().await?;
        } else {
            transaction.commit().await?;
        }
        Ok(dispositions)
    }
}
