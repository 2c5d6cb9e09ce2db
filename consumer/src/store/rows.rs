//! The rows of a batch, from ids to tables.

use audit_schema::version::{Contents, Disposition};
use deadpool_postgres::Transaction;

use super::failure::Failure;
use super::group::{self, Group};
use super::{ids, insert, known, settle};
use crate::batch::{Batch, set_created_at};

/// Writes the chosen rows; gives what became of each, by position in the batch.
pub(super) async fn write(
    transaction: &mut Transaction<'_>,
    batch: &mut Batch,
    chosen: &[usize],
) -> Result<Vec<Option<Disposition>>, Failure> {
    let mut dispositions = vec![None; batch.rows.len()];
    let mut groups = group::by_id(&batch.rows, chosen);
    ids::settle_created_at(transaction, &batch.rows, &mut groups).await?;
    put_created_at(batch, &groups);

    let everything: Vec<usize> = (0..groups.len()).collect();
    let mut known = known::look_up(transaction, &groups, &everything).await?;
    let missing: Vec<usize> = everything.into_iter().filter(|at| known[*at].is_none()).collect();
    let folded: Vec<Contents> =
        missing.iter().map(|at| groups[*at].fold(&batch.rows, None, &mut dispositions)).collect();
    let raced = insert::insert(transaction, batch, &groups, &missing, &folded).await?;
    for (at, found) in known::look_up(transaction, &groups, &raced).await?.into_iter().enumerate() {
        known[at] = found.or(known[at]);
    }

    let mut unsettled = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        let Some(current) = known[at] else { continue };
        if group.is_redundant(&batch.rows, current) {
            group
                .rows
                .iter()
                .for_each(|position| dispositions[*position] = Some(Disposition::Duplicate));
        } else {
            unsettled.push(at);
        }
    }
    settle::settle(transaction, batch, &groups, &unsettled, &mut dispositions).await?;
    Ok(dispositions)
}

/// Rows whose id carries no time were rendered with their own candidate.
fn put_created_at(batch: &mut Batch, groups: &[Group]) {
    for group in groups {
        for position in &group.rows {
            let row = &batch.rows[*position];
            if !row.dated {
                set_created_at(&mut batch.tuples[row.tuple.clone()], group.created_at);
            }
        }
    }
}
