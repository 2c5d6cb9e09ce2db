//! The rows of a batch by id, in the one order in which every transaction takes its locks.

use std::collections::BTreeMap;

use audit_schema::digest::Digest;
use audit_schema::version::{Contents, Disposition, Earliest, Ranked};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::batch::Row;

/// All rows of one id in a batch.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: Uuid,
    /// The row's `created_at`, microseconds since the Unix epoch.
    pub(super) created_at: i64,
    /// Positions in the batch, by version.
    pub(super) rows: Vec<usize>,
}

/// Groups rows by id, in the order of ids.
pub(super) fn by_id(rows: &[Row], chosen: &[usize]) -> Vec<Group> {
    let mut order = chosen.to_vec();
    order.sort_unstable_by_key(|position| (rows[*position].id, rows[*position].version));
    let mut groups: Vec<Group> = Vec::with_capacity(order.len());
    for position in order {
        let row = &rows[position];
        match groups.last_mut() {
            Some(group) if group.id == row.id => group.rows.push(position),
            _ => {
                groups.push(Group { id: row.id, created_at: row.created_at, rows: vec![position] });
            }
        }
    }
    groups
}

impl Group {
    /// The lowest record of the batch for this id.
    pub(super) fn earliest(&self, rows: &[Row]) -> Earliest {
        let first = &rows[self.rows[0]];
        Earliest { version: first.version, created_at: first.created_at }
    }

    /// The row that stands for each content: the one of the highest version.
    pub(super) fn representatives(&self, rows: &[Row]) -> BTreeMap<Digest, usize> {
        self.rows.iter().map(|position| (rows[*position].digest, *position)).collect()
    }

    /// Folds the group's rows onto what is known of the id, noting each row's disposition.
    pub(super) fn fold(
        &self,
        rows: &[Row],
        known: Option<Contents>,
        dispositions: &mut [Option<Disposition>],
    ) -> Contents {
        let mut positions = self.rows.iter().copied();
        let mut contents = known.unwrap_or_else(|| {
            let first = positions.next().expect("a group has a row");
            dispositions[first] = Some(Disposition::Stored);
            Contents::first(rows[first].digest, rows[first].version, rows[first].created_at)
        });
        for position in positions {
            let row = &rows[position];
            dispositions[position] = Some(contents.see(row.digest, row.version, row.created_at));
        }
        contents
    }

    /// Whether the rows change nothing about what is known: the current content, at no higher rank.
    pub(super) fn is_redundant(&self, rows: &[Row], current: Ranked) -> bool {
        self.rows
            .iter()
            .all(|at| rows[*at].digest == current.digest && rows[*at].version <= current.rank)
    }
}

/// A record's timestamp as a parameter.
pub(super) fn record_timestamp(millis: i64) -> DateTime<Utc> {
    timestamp(millis.saturating_mul(1_000))
}

/// A time of ours as a parameter.
pub(super) fn timestamp(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).expect("record and event times are within the calendar")
}
