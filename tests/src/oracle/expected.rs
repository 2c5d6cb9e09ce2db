//! What a set of records comes to, in whatever order it is stored.

use std::collections::{BTreeMap, BTreeSet};

use audit_schema::{
    decode::Decoder,
    digest::Digest,
    headers::RecordHeaders,
    identity,
    problem::{Code, Rejection},
    version::{Contents, Version, record_time},
};
use uuid::Uuid;

use crate::kafka::{Acknowledged, RawRecord};

/// What must be stored after a set of records. Seeing a record twice changes nothing.
#[derive(Debug, Default)]
pub struct Expected {
    pub(super) contents: BTreeMap<Uuid, Contents>,
    pub(crate) dead_letters: BTreeMap<Version, Code>,
    pub(super) seen: BTreeSet<Version>,
    decoder: Decoder,
}

impl Expected {
    /// What must be stored after all of these.
    #[must_use]
    pub fn of(records: &[RawRecord]) -> Self {
        let mut expected = Self::default();
        for record in records {
            expected.see(record);
        }
        expected
    }

    /// Takes one more record into account.
    pub fn see(&mut self, record: &RawRecord) {
        let version = version(&record.at);
        if !self.seen.insert(version) {
            return;
        }
        match read(&mut self.decoder, record) {
            Ok((id, digest, created_at)) => {
                self.contents
                    .entry(id)
                    .and_modify(|contents| {
                        contents.see(digest, version, created_at);
                    })
                    .or_insert_with(|| Contents::first(digest, version, created_at));
            }
            Err(rejection) => {
                self.dead_letters.insert(version, rejection.code);
            }
        }
    }

    /// Takes a record into account which the database is made to refuse.
    pub fn see_refused(&mut self, record: &RawRecord) {
        let version = version(&record.at);
        self.seen.insert(version);
        self.dead_letters.insert(version, Code::DatabaseRejected);
    }

    /// Those of these acknowledgements whose records were not seen: acknowledged and lost.
    #[must_use]
    pub fn missing(&self, acknowledged: &[Acknowledged]) -> Vec<Acknowledged> {
        let unseen = |at: &&Acknowledged| !self.seen.contains(&version(at));
        acknowledged.iter().filter(unseen).copied().collect()
    }
}

fn version(at: &Acknowledged) -> Version {
    Version {
        timestamp_ms: record_time(at.timestamp_ms),
        partition: at.partition,
        offset: at.offset,
    }
}

/// The id, the digest, and the candidate for `created_at` in microseconds since the Unix epoch.
fn read(decoder: &mut Decoder, record: &RawRecord) -> Result<(Uuid, Digest, i64), Rejection> {
    let headers: RecordHeaders<'_> =
        record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    let value = record
        .value
        .as_deref()
        .ok_or_else(|| Rejection::new(Code::Tombstone, "the record has no value"))?;
    headers.check()?;
    let event = decoder.decode(value)?;
    let id = headers.resolve_id(&event)?;
    let created_at = identity::created_at(id)
        .or(event.columns.completed_at)
        .unwrap_or(record_time(record.at.timestamp_ms) * 1000);
    Ok((id, event.digest(id), created_at))
}
