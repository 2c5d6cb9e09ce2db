//! Reads every row once: its digest, its times, where it comes from; and collects what is known of each id.

use audit_schema::digest::{Canonicalizer, Digest};
use audit_schema::version::Version;
use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use uuid::Uuid;

use super::entry::{Entries, Entry, Origin};
use super::finding::{Finding, Findings};
use super::ledger::Ledger;
use super::partitions::Held;
use super::progress::Progress;
use super::row::{self, Stored, whole_millis};
use super::snapshot::Snapshot;

const REGISTRY: &str =
    "SELECT id, created_at, record_timestamp, source_partition, source_offset FROM audit_id";

/// How much was read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counted {
    /// Rows of the event table.
    pub rows: i64,
    /// Rows of the history.
    pub history: i64,
}

/// What reading the tables needs.
pub(super) struct Tables<'a> {
    pub(super) snapshot: &'a Snapshot<'a>,
    pub(super) ledger: &'a Ledger,
    /// The topic whose records the contents will be compared with.
    pub(super) topic: Option<&'a str>,
    pub(super) entries: &'a mut Entries,
    pub(super) findings: &'a mut Findings,
    pub(super) progress: &'a mut Progress,
}

impl Tables<'_> {
    /// Reads the event table, the history and the registry of ids.
    pub(super) async fn read(&mut self, held: &mut Held) -> anyhow::Result<Counted> {
        let expected = self.ledger.sum(|batch| batch.stored + batch.others);
        self.progress.begin("rows read", expected.unsigned_abs());
        let snapshot = self.snapshot;
        let mut canonicalizer = Canonicalizer::default();
        let mut counted = Counted::default();
        snapshot
            .each(&row::current(), &[], |row| {
                counted.rows += 1;
                if let Some(stored) = self.content(&mut canonicalizer, row, Origin::Row)? {
                    held.note(stored.partition_oid, stored.created_at);
                }
                Ok(())
            })
            .await?;
        snapshot
            .each(&row::history(), &[], |row| {
                counted.history += 1;
                self.content(&mut canonicalizer, row, Origin::History)?;
                Ok(())
            })
            .await?;
        snapshot.each(REGISTRY, &[], |row| self.registered(row)).await?;
        Ok(counted)
    }

    /// Checks what can be seen of a content by itself.
    fn content<'r>(
        &mut self,
        canonicalizer: &mut Canonicalizer,
        row: &'r Row,
        origin: Origin,
    ) -> anyhow::Result<Option<Stored<'r>>> {
        self.progress.advance();
        let check = origin.name();
        let id = Stored::id(row)?;
        let stored = match Stored::read(canonicalizer, row) {
            Ok(stored) => stored,
            Err(error) => {
                let found = format!("has a value that no event can have: {error}");
                self.findings.push(Finding::new(check, found).of(id));
                return Ok(None);
            }
        };
        for found in self.faults(&stored) {
            let finding = Finding::new(check, found).of(id);
            self.findings.push(finding.at_version(stored.topic, stored.rank));
        }
        self.entries.push(
            Entry {
                id,
                origin,
                version: stored.rank,
                digest: stored.digest,
                created_at: stored.created_at,
                of_topic: self.topic == Some(stored.topic),
            }
            .to_bytes(),
        )?;
        Ok(Some(stored))
    }

    fn faults(&self, stored: &Stored<'_>) -> Vec<String> {
        let mut faults = Vec::new();
        match &stored.recomputed {
            Ok(digest) if *digest == stored.digest => {}
            Ok(digest) => faults.push(format!(
                "was changed: its columns have the digest {digest}, it says {}",
                stored.digest
            )),
            Err(why) => faults.push(format!("was changed: {why}")),
        }
        if !self.ledger.has(stored.topic, stored.rank.partition, stored.rank.offset) {
            faults.push("comes from a record that no stream has accounted for".to_owned());
        }
        // What replaced a content may have begun before that content was stored: neither bounds the other.
        let begun_at = self.ledger.begun_at.unwrap_or(DateTime::<Utc>::MIN_UTC);
        let possible = begun_at..=self.snapshot.taken_at;
        if !possible.contains(&stored.ingested_at) {
            faults.push(format!("was not stored at {} (ingested_at)", stored.ingested_at));
        }
        if let Some(at) = stored.superseded_at.filter(|at| !possible.contains(at)) {
            faults.push(format!("was not superseded at {at} (superseded_at)"));
        }
        faults
    }

    fn registered(&mut self, row: &Row) -> anyhow::Result<()> {
        let id: Uuid = row.try_get(0)?;
        match registered(id, row) {
            Ok(mut entry) => {
                // The registry does not say which topic its records are of.
                entry.of_topic = self.topic.is_some() && self.ledger.topics() == 1;
                self.entries.push(entry.to_bytes())?;
            }
            Err(error) => {
                let found = format!("has a value that no event can have: {error}");
                self.findings.push(Finding::new(Origin::Registry.name(), found).of(id));
            }
        }
        Ok(())
    }
}

fn registered(id: Uuid, row: &Row) -> Result<Entry, Box<dyn std::error::Error + Send + Sync>> {
    let created_at: DateTime<Utc> = row.try_get(1)?;
    let version = Version {
        timestamp_ms: whole_millis(row.try_get(2)?)?,
        partition: row.try_get(3)?,
        offset: row.try_get(4)?,
    };
    Ok(Entry {
        id,
        origin: Origin::Registry,
        version,
        digest: Digest([0; 32]),
        created_at: created_at.timestamp_micros(),
        of_topic: false,
    })
}
