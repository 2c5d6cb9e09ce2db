//! The table's months: each holds what its bounds say, and says so in a CHECK.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Datelike, Utc};

use super::finding::{Finding, Findings};
use super::snapshot::Snapshot;

/// Bounds are written in UTC, which is every session's time zone here. The default partition has none.
const PARTITIONS: &str = "SELECT oid, relname::text, (bounds[1])::timestamptz, (bounds[2])::timestamptz, \
    EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = p.oid AND c.contype = 'c' AND c.convalidated \
        AND pg_get_constraintdef(c.oid) = format('CHECK (((created_at >= %L::timestamp with time zone) AND \
        (created_at < %L::timestamp with time zone)))', bounds[1], bounds[2])) \
    FROM (SELECT oid, relname, regexp_match(pg_get_expr(relpartbound, oid), 'FROM \\(''(.+)''\\) TO \\(''(.+)''\\)') \
        FROM pg_class WHERE relispartition AND oid IN \
        (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'workflow_execution_audit'::regclass) \
    ) AS p (oid, relname, bounds) ORDER BY relname";

/// Which times rows were found with, partition by partition.
#[derive(Debug, Default)]
pub(super) struct Held {
    by_oid: HashMap<u32, Times>,
}

#[derive(Debug)]
struct Times {
    least: i64,
    greatest: i64,
    /// Years and months.
    months: BTreeSet<(i32, u32)>,
}

impl Held {
    /// Notes a row, created at so many microseconds since the Unix epoch.
    pub(super) fn note(&mut self, partition_oid: u32, created_at: i64) {
        let new = || Times { least: created_at, greatest: created_at, months: BTreeSet::new() };
        let times = self.by_oid.entry(partition_oid).or_insert_with(new);
        times.least = times.least.min(created_at);
        times.greatest = times.greatest.max(created_at);
        times.months.extend(time(created_at).map(|time| (time.year(), time.month())));
    }
}

struct Partition {
    oid: u32,
    name: String,
    bounds: Option<(DateTime<Utc>, DateTime<Utc>)>,
    has_check: bool,
}

/// Compares the partitions with what was found in them.
pub(super) async fn check(
    snapshot: &Snapshot<'_>,
    held: &Held,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let mut partitions = Vec::new();
    snapshot
        .each(PARTITIONS, &[], |row| {
            partitions.push(Partition {
                oid: row.try_get(0)?,
                name: row.try_get(1)?,
                bounds: row.try_get::<_, Option<_>>(2)?.zip(row.try_get::<_, Option<_>>(3)?),
                has_check: row.try_get(4)?,
            });
            Ok(())
        })
        .await?;
    let mut finding =
        |name: &str, what: &str| findings.push(Finding::new("partition", format!("{name} {what}")));
    let months: BTreeSet<(i32, u32)> = partitions
        .iter()
        .filter_map(|partition| partition.bounds)
        .map(|(from, _)| (from.year(), from.month()))
        .collect();
    for Partition { oid, name, bounds, has_check } in &partitions {
        let times = held.by_oid.get(oid);
        let Some((from, to)) = bounds else {
            for (year, month) in times.into_iter().flat_map(|t| t.months.intersection(&months)) {
                finding(name, &format!("has rows of {year}-{month:02}, which has a partition"));
            }
            continue;
        };
        if !has_check {
            finding(name, "has no CHECK that repeats its bounds");
        }
        if times.is_some_and(|t| time(t.least) < Some(*from) || time(t.greatest) >= Some(*to)) {
            finding(name, &format!("has rows that are not from {from} to {to}"));
        }
    }
    Ok(())
}

fn time(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}
