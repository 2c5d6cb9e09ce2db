//! A dead letter as it is stored.

use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::{Stream, TryStreamExt as _};
use tokio_postgres::{Client, Error, Row};

use super::filter::{Criteria, MATCHES};
use crate::source::{Chunk, Parts, UNREADABLE};

/// Without ordering, so that any number of them can be read as a stream.
const SELECT: &str = "SELECT topic, partition, \"offset\", record_timestamp, key, value, header_names, header_values, \
    error_code, error_text, first_seen, last_seen, attempts, resolution, resolved_at, resolved_by, resolution_reason, \
    retried_as FROM audit_dead_letter WHERE ";

/// A record, what is wrong with it, and what became of it.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) record_timestamp: DateTime<Utc>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(super) code: String,
    pub(super) error: String,
    pub(super) first_seen: DateTime<Utc>,
    pub(super) last_seen: DateTime<Utc>,
    pub(super) attempts: i32,
    pub(super) resolution: Option<String>,
    pub(super) resolved_at: Option<DateTime<Utc>>,
    pub(super) resolved_by: Option<String>,
    pub(super) resolution_reason: Option<String>,
    pub(super) retried_as: Option<String>,
}

/// Those that match, in the order of topic, partition, offset and time. One at a time is in memory.
pub(super) async fn read(
    client: &Client,
    criteria: &Criteria,
) -> Result<impl Stream<Item = Result<Letter, Error>> + use<>, Error> {
    let sql = format!("{SELECT}{MATCHES} ORDER BY topic, partition, \"offset\", record_timestamp");
    let rows = client.query_raw(&sql, criteria.parameters()).await?;
    Ok(rows.map_ok(|row| Letter::from(&row)))
}

impl From<&Row> for Letter {
    fn from(row: &Row) -> Self {
        let names: Vec<Vec<u8>> = row.get(6);
        let values: Vec<Option<Vec<u8>>> = row.get(7);
        Self {
            topic: row.get(0),
            partition: row.get(1),
            offset: row.get(2),
            record_timestamp: row.get(3),
            key: row.get(4),
            value: row.get(5),
            headers: names.into_iter().zip(values).collect(),
            code: row.get(8),
            error: row.get(9),
            first_seen: row.get(10),
            last_seen: row.get(11),
            attempts: row.get(12),
            resolution: row.get(13),
            resolved_at: row.get(14),
            resolved_by: row.get(15),
            resolution_reason: row.get(16),
            retried_as: row.get(17),
        }
    }
}

impl Letter {
    /// The record as it came from the topic.
    pub(super) fn record(&self) -> Chunk {
        let record = Parts {
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.record_timestamp.timestamp_millis(),
            key: self.key.as_deref(),
            value: self.value.as_deref(),
        };
        let headers = self.headers.iter().map(|(name, value)| {
            // What could not be read then cannot be read now: only the mark for it was stored.
            let name = std::str::from_utf8(name).ok();
            name.filter(|name| *name != UNREADABLE || value.is_some())
                .map(|name| (name, value.as_deref()))
        });
        let mut chunk = Chunk::default();
        chunk.push_parts(record, headers);
        chunk
    }
}

/// A time as results have it.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
