//! Which rows of a batch the database refuses, found by halving.

use deadpool_postgres::Transaction;

use super::failure::Failure;
use super::outlook::Outlook;
use super::rows;
use crate::batch::Batch;
use crate::database::sqlstate;

/// A row that the database refuses even alone.
#[derive(Debug)]
pub(super) struct Refused {
    /// Position in [`Batch::rows`].
    pub(super) row: usize,
    /// SQLSTATE and message, without the row's values.
    pub(super) text: String,
}

/// Tries halves, and halves of those that fail, each in a savepoint that is rolled back. A fault that only shows
/// with several rows together is nobody's fault: it gives no refused row, and the batch is tried again.
pub(super) async fn refused_rows(
    transaction: &mut Transaction<'_>,
    batch: &mut Batch,
) -> Result<Vec<Refused>, Failure> {
    let mut refused = Vec::new();
    let mut suspects: Vec<Vec<usize>> = vec![(0..batch.rows.len()).collect()];
    while let Some(chosen) = suspects.pop() {
        let mut savepoint = transaction.savepoint("suspects").await?;
        let outcome = rows::write(&mut savepoint, batch, &chosen, &mut Outlook::default()).await;
        savepoint.rollback().await?;
        match (outcome, &chosen[..]) {
            (Ok(_), _) => {}
            (Err(Failure::Data(error)), [row]) => {
                let code = sqlstate(&error).unwrap_or_default();
                let message = error.as_db_error().map_or("", |error| error.message());
                refused.push(Refused {
                    row: *row,
                    text: format!("the database refuses the row: {message} (SQLSTATE {code})"),
                });
            }
            (Err(Failure::Data(_)), _) => {
                let (left, right) = chosen.split_at(chosen.len() / 2);
                suspects.extend([right.to_vec(), left.to_vec()]);
            }
            (Err(failure), _) => return Err(failure),
        }
    }
    Ok(refused)
}
