//! What a replay is to read, fixed when it begins, and how far it is.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{anyhow, bail};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::name::Name;
use super::selection::Selection;
use crate::database::describe;

const BEGIN: &str = "INSERT INTO audit_replay (name, topic, selection, partitions, end_offsets) \
    VALUES ($1, $2, $3, $4, $5)";
/// The first takeover finds the position there, where a live stream's would begin with the log.
const POSITIONS: &str = "INSERT INTO audit_stream (stream, topic, partition, start_offset, next_offset) \
    SELECT $1, $2, k.partition, k.first, k.first FROM unnest($3::int[], $4::bigint[]) AS k (partition, first)";
const LOAD: &str = "SELECT r.topic, e.partition, s.start_offset, s.next_offset, e.end_offset, s.halted \
    FROM audit_replay r CROSS JOIN unnest(r.partitions, r.end_offsets) AS e (partition, end_offset) \
    JOIN audit_stream s ON s.stream = r.stream AND s.topic = r.topic AND s.partition = e.partition \
    WHERE r.name = $1 ORDER BY e.partition";

/// A replay's partitions.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) topic: String,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    partition: i32,
    start: i64,
    next: i64,
    end: i64,
    halted: Option<String>,
}

impl Plan {
    /// Writes down what is to be read.
    ///
    /// # Errors
    /// The name is taken, or the database fails.
    pub(super) async fn begin(
        client: &mut Client,
        name: &Name,
        topic: &str,
        selection: &Selection,
        ranges: &BTreeMap<i32, Range<i64>>,
    ) -> anyhow::Result<()> {
        let failed = |taken: &str, error: &tokio_postgres::Error| match error.code() {
            Some(&SqlState::UNIQUE_VIOLATION) => anyhow!("{taken}; give this one another --name"),
            _ => anyhow!("cannot begin the replay: {}", describe(error)),
        };
        let partitions: Vec<i32> = ranges.keys().copied().collect();
        let starts: Vec<i64> = ranges.values().map(|range| range.start).collect();
        let ends: Vec<i64> = ranges.values().map(|range| range.end).collect();
        let there =
            format!("there is a replay {name}, which `replay --resume {name}` goes on with");
        let was_there = format!("the name {name} was that of a replay that was forgotten");
        let transaction = client.transaction().await.map_err(|error| failed("", &error))?;
        let words = selection.to_string();
        transaction
            .execute(BEGIN, &[&name.as_str(), &topic, &words, &partitions, &ends])
            .await
            .map_err(|error| failed(&there, &error))?;
        transaction
            .execute(POSITIONS, &[&name.stream(), &topic, &partitions, &starts])
            .await
            .map_err(|error| failed(&was_there, &error))?;
        transaction.commit().await.map_err(|error| failed("", &error))
    }

    /// Reads it back, with how far it is.
    ///
    /// # Errors
    /// There is no such replay, or the database fails.
    pub(super) async fn load(client: &Client, name: &Name) -> anyhow::Result<Self> {
        let rows = client
            .query(LOAD, &[&name.as_str()])
            .await
            .map_err(|error| anyhow!("cannot read how far the replay is: {}", describe(&error)))?;
        let Some(first) = rows.first() else {
            bail!("there is no replay {name}; `audit-consumer replay list` shows those there are");
        };
        let part = |row: &tokio_postgres::Row| Part {
            partition: row.get(1),
            start: row.get(2),
            next: row.get(3),
            end: row.get(4),
            halted: row.get(5),
        };
        Ok(Self { topic: first.get(0), parts: rows.iter().map(part).collect() })
    }

    /// The ends of the partitions that are not read to them.
    pub(super) fn ends(&self) -> BTreeMap<i32, i64> {
        self.unfinished().map(|part| (part.partition, part.end)).collect()
    }

    /// Where each partition stands.
    pub(super) fn positions(&self) -> BTreeMap<i32, i64> {
        self.parts.iter().map(|part| (part.partition, part.next)).collect()
    }

    /// The sum of the offsets at which partitions begin.
    pub(super) fn start(&self) -> i64 {
        self.parts.iter().map(|part| part.start).sum()
    }

    /// The offsets to be read.
    pub(super) fn total(&self) -> i64 {
        self.parts.iter().map(|part| part.end - part.start).sum()
    }

    /// Which partitions are not at their end, and why as far as it is known; none if the replay is finished.
    pub(super) fn missing(&self) -> Option<String> {
        let part = |part: &Part| {
            let why = part.halted.as_ref().map_or(String::new(), |halted| format!(", {halted}"));
            format!("partition {} is at offset {} of {}{why}", part.partition, part.next, part.end)
        };
        let missing: Vec<String> = self.unfinished().map(part).collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }

    fn unfinished(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.next < part.end)
    }
}
