//! The rows of a batch, from ids to tables.

use audit_schema::version::{Disposition, Ranked};
use deadpool_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::failure::Failure;
use super::group::{self, Group};
use super::insert::New;
use super::outlook::Outlook;
use super::{ids, known, settle};
use crate::batch::{Batch, set_created_at};

/// Writes the chosen rows; gives what became of each, by position in the batch.
pub(super) async fn write(
    transaction: &mut Transaction<'_>,
    batch: &mut Batch,
    chosen: &[usize],
    outlook: &mut Outlook,
) -> Result<Vec<Option<Disposition>>, Failure> {
    let mut dispositions = vec![None; batch.rows.len()];
    let mut groups = group::by_id(&batch.rows, chosen);
    ids::settle_created_at(transaction, &batch.rows, &mut groups).await?;
    put_created_at(batch, &groups);

    let known = insert_new(transaction, batch, &groups, &mut dispositions, outlook).await?;

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

/// Inserts the groups whose ids are new; gives what the table has of the others.
async fn insert_new(
    transaction: &mut Transaction<'_>,
    batch: &Batch,
    groups: &[Group],
    dispositions: &mut [Option<Disposition>],
    outlook: &mut Outlook,
) -> Result<Vec<Option<Ranked>>, Failure> {
    let everything: Vec<usize> = (0..groups.len()).collect();
    if outlook.all_new() {
        match New::of(batch, groups, &everything, dispositions).copy(transaction, batch).await {
            Ok(()) => return Ok(vec![None; groups.len()]),
            // Known ids are looked up; a row that is refused for something else may be one of them.
            Err(Failure::Data(_)) => outlook.surprised(),
            Err(failure) => return Err(failure),
        }
    }
    let mut known = known::look_up(transaction, groups, &everything).await?;
    let missing: Vec<usize> = everything.into_iter().filter(|at| known[*at].is_none()).collect();
    outlook.looked_up(missing.len() == groups.len());
    let new = New::of(batch, groups, &missing, dispositions);
    match new.copy(transaction, batch).await {
        Err(Failure::Data(error)) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            let raced = new.insert(transaction, batch).await?;
            let found = known::look_up(transaction, groups, &raced).await?;
            for (known, found) in known.iter_mut().zip(found) {
                *known = found.or(*known);
            }
            Ok(known)
        }
        copied => copied.map(|()| known),
    }
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
