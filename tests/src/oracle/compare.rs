//! The differences, one line each.

use std::{collections::BTreeMap, fmt::Debug};

use audit_schema::{
    digest::Digest,
    identity,
    version::{Contents, Version},
};

use super::{
    Counts, Expected,
    stored::{Content, Stored},
};

/// Table, history, registry of undated ids, open dead letters.
pub(super) fn contents(expected: &Expected, stored: &Stored) -> Vec<String> {
    let mut differences = stored.problems.clone();

    let rows = stored.rows.iter().map(|(id, row)| (*id, current(row))).collect();
    let wanted =
        expected.contents.iter().map(|(id, contents)| (*id, wanted_row(contents))).collect();
    differences.extend(maps("row", &wanted, &rows));

    let history = stored.history.iter().map(|(content, row)| (*content, row.rank)).collect();
    let wanted = expected
        .contents
        .iter()
        .flat_map(|(id, contents)| contents.history().map(|(digest, rank)| ((*id, digest), rank)));
    differences.extend(maps("history", &wanted.collect(), &history));

    let undated = expected.contents.iter().filter(|(id, _)| identity::created_at(**id).is_none());
    let wanted = undated.map(|(id, contents)| (*id, contents.created_at())).collect();
    differences.extend(maps("audit_id", &wanted, &stored.undated));

    let wanted = expected.dead_letters.iter().map(|(at, code)| (*at, code.as_str().to_owned()));
    differences.extend(maps("dead letter", &wanted.collect(), &stored.dead_letters));
    differences
}

/// Whatever order the records came in, this many of them were the first of their id, and this many
/// brought another content, through whichever stream or by a retry. All streams together have seen so many records.
pub(super) fn counts(
    expected: &Expected,
    stored: &Stored,
    total: &Counts,
    records: usize,
) -> Vec<String> {
    let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let retried = |disposition: &str| stored.retried.get(disposition).copied().unwrap_or_default();
    let other_contents = total.superseding + total.late + retried("superseding") + retried("late");
    let dead = expected.dead_letters.len() + stored.resolved;
    let history: usize = expected.contents.values().map(|contents| contents.history().len()).sum();
    let checks = [
        ("stored", count(expected.contents.len()), total.stored + retried("stored")),
        ("superseding and late", count(history), other_contents),
        ("dead-lettered", count(dead), total.dead_lettered),
        ("all records", count(records), total.records()),
    ];
    checks
        .into_iter()
        .filter(|(_, expected, found)| expected != found)
        .map(|(what, expected, found)| {
            format!("ledger, {what}: expected {expected}, found {found}")
        })
        .collect()
}

type Row = (Digest, Version, i64);

fn current(row: &Content) -> Row {
    (row.digest, row.rank, row.created_at)
}

fn wanted_row(contents: &Contents) -> Row {
    let current = contents.current();
    (current.digest, current.rank, contents.created_at())
}

fn maps<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    expected: &BTreeMap<K, V>,
    found: &BTreeMap<K, V>,
) -> Vec<String> {
    let missing_or_other = expected.iter().filter_map(|(key, wanted)| match found.get(key) {
        Some(found) if found == wanted => None,
        Some(found) => Some(format!("{what} {key:?}: expected {wanted:?}, found {found:?}")),
        None => Some(format!("{what} {key:?}: missing, expected {wanted:?}")),
    });
    let unexpected = found
        .iter()
        .filter(|(key, _)| !expected.contains_key(key))
        .map(|(key, found)| format!("{what} {key:?}: not expected, found {found:?}"));
    missing_or_other.chain(unexpected).collect()
}
