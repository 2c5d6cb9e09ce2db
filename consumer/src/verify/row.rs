//! A row of the event table or of the history, with the digest of its columns taken anew.

use std::error::Error;

use audit_schema::columns::Columns;
use audit_schema::digest::{self, Canonicalizer, Digest};
use audit_schema::version::Version;
use chrono::{DateTime, Utc};
use postgres_types::{FromSql, Type};
use tokio_postgres::Row;
use uuid::Uuid;

/// The columns in the order of [`Stored::read`]. JSON columns as text, which is what digests of rows are taken of.
const COLUMNS: &str = "id, tableoid, created_at, remediation_id, workflow_name, workflow_version, total_steps, \
    steps_completed, steps_failed, total_duration, outcome, effectiveness_score, rollbacks_performed, \
    step_executions::text, adaptive_adjustments::text, completed_at, status, error_message, extensions::text, \
    content_digest, source_topic, source_partition, source_offset, record_timestamp, ingested_at";

/// Reads all current contents.
pub(super) fn current() -> String {
    format!("SELECT {COLUMNS}, NULL::timestamptz FROM workflow_execution_audit")
}

/// Reads all contents that are not current.
pub(super) fn history() -> String {
    format!("SELECT {COLUMNS}, superseded_at FROM workflow_execution_audit_history")
}

/// What a row says of itself.
pub(super) struct Stored<'a> {
    /// The partition it is in.
    pub(super) partition_oid: u32,
    /// Microseconds since the Unix epoch.
    pub(super) created_at: i64,
    pub(super) digest: Digest,
    /// Of the columns as they are; or why no event can have made them.
    pub(super) recomputed: Result<Digest, String>,
    pub(super) topic: &'a str,
    pub(super) rank: Version,
    pub(super) ingested_at: DateTime<Utc>,
    pub(super) superseded_at: Option<DateTime<Utc>>,
}

impl<'a> Stored<'a> {
    /// The row's id, which every row has.
    pub(super) fn id(row: &Row) -> Result<Uuid, tokio_postgres::Error> {
        row.try_get(0)
    }

    /// # Errors
    /// A column has a value that none of ours can have.
    pub(super) fn read(
        canonicalizer: &mut Canonicalizer,
        row: &'a Row,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut at = 0;
        // The fields below are read in the order in which they are written.
        let mut next = || {
            at += 1;
            at
        };
        let partition_oid = row.try_get(next())?;
        let created_at: DateTime<Utc> = row.try_get(next())?;
        let columns = Columns {
            remediation_id: row.try_get(next())?,
            workflow_name: row.try_get(next())?,
            workflow_version: row.try_get(next())?,
            total_steps: row.try_get(next())?,
            steps_completed: row.try_get(next())?,
            steps_failed: row.try_get(next())?,
            total_duration: row.try_get::<_, Option<Micros>>(next())?.map(|Micros(micros)| micros),
            outcome: row.try_get(next())?,
            effectiveness_score: row.try_get(next())?,
            rollbacks_performed: row.try_get(next())?,
            step_executions: row.try_get(next())?,
            adaptive_adjustments: row.try_get(next())?,
            completed_at: row
                .try_get::<_, Option<DateTime<Utc>>>(next())?
                .map(|time| time.timestamp_micros()),
            status: row.try_get(next())?,
            error_message: row.try_get(next())?,
            extensions: row.try_get(next())?,
        };
        let digest = Digest::from_bytes(row.try_get(next())?).ok_or("a digest has 32 bytes")?;
        let recomputed = digest::of_row(canonicalizer, Self::id(row)?, &columns);
        Ok(Self {
            partition_oid,
            created_at: created_at.timestamp_micros(),
            digest,
            recomputed: recomputed.map_err(|rejection| rejection.to_string()),
            topic: row.try_get(next())?,
            rank: Version {
                partition: row.try_get(next())?,
                offset: row.try_get(next())?,
                timestamp_ms: whole_millis(row.try_get(next())?)?,
            },
            ingested_at: row.try_get(next())?,
            superseded_at: row.try_get(next())?,
        })
    }
}

/// The time of a record, which has no microseconds.
pub(super) fn whole_millis(time: DateTime<Utc>) -> Result<i64, &'static str> {
    match time.timestamp_micros() {
        micros if micros % 1_000 == 0 => Ok(time.timestamp_millis()),
        _ => Err("a record's timestamp has whole milliseconds"),
    }
}

/// An interval as it is written: microseconds, no days, no months.
struct Micros(i64);

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match raw.split_first_chunk::<8>() {
            Some((micros, [0, 0, 0, 0, 0, 0, 0, 0])) => Ok(Self(i64::from_be_bytes(*micros))),
            _ => Err("a duration has no days and no months".into()),
        }
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::INTERVAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_microseconds_alone() {
        let read = |raw: &[u8]| Micros::from_sql(&Type::INTERVAL, raw).map(|Micros(micros)| micros);
        let mut raw = [0; 16];
        raw[..8].copy_from_slice(&(-5_i64).to_be_bytes());
        assert_eq!(read(&raw).unwrap(), -5);
        for (byte, part) in [(11, "days"), (15, "months")] {
            let mut raw = raw;
            raw[byte] = 1;
            assert!(read(&raw).unwrap_err().to_string().contains(part));
        }
    }

    #[test]
    fn a_records_time_has_whole_milliseconds() {
        let time = |micros| DateTime::from_timestamp_micros(micros).unwrap();
        assert_eq!(whole_millis(time(1_700_000_000_123_000)), Ok(1_700_000_000_123));
        assert_eq!(whole_millis(time(-1_000)), Ok(-1));
        assert!(whole_millis(time(1)).is_err() && whole_millis(time(-1)).is_err());
    }
}
