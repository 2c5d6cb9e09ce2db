//! A session's own table for rows that cannot be copied straight to where they belong.

use deadpool_postgres::Transaction;

use super::copy::copy;
use super::failure::Failure;
use crate::batch::{Batch, COLUMNS};

/// Empties the staging table, making it first if the session has none, and copies the rows in.
pub(super) async fn fill(
    transaction: &Transaction<'_>,
    batch: &Batch,
    rows: impl Iterator<Item = usize>,
) -> Result<(), Failure> {
    transaction
        .batch_execute(
            "CREATE TEMP TABLE IF NOT EXISTS audit_staging (LIKE workflow_execution_audit INCLUDING DEFAULTS) \
             ON COMMIT DELETE ROWS; DELETE FROM pg_temp.audit_staging",
        )
        .await?;
    let statement = format!("COPY pg_temp.audit_staging ({COLUMNS}) FROM STDIN (FORMAT binary)");
    copy(transaction, &statement, batch, rows).await.map_err(Failure::on_rows)
}
