//! What is published: JSON as Go sends it, and the records it becomes.

use std::sync::Arc;

use anyhow::Result;
use audit_producer::{Identity, Record};
use audit_tests::generator::{Generator, IdKind};
use chrono::DateTime;

use super::settings::Settings;

/// CloudEvents source of the records; the gateway's own default, so that all records are alike.
pub(crate) const SOURCE: &str = "/gateway";

/// 2025-06-15 15:06:40 UTC: the same events in every run.
const LATEST: i64 = 1_750_000_000;
/// More than caches hold; then they come again.
const DIFFERENT: usize = 20_000;

/// The events, without an id of their own, as Go sends them.
pub(crate) struct Events {
    pub(crate) json: Arc<Vec<Vec<u8>>>,
}

impl Events {
    pub(crate) fn make(settings: &Settings) -> Result<Self> {
        let latest = DateTime::from_timestamp_secs(LATEST).unwrap_or_default();
        let mut generator = Generator::new(settings.seed, latest);
        let json = (0..DIFFERENT).map(|_| generator.event(IdKind::Absent).value()).collect();
        Ok(Self { json: Arc::new(json) })
    }

    /// The records that the publisher makes of them.
    pub(crate) fn records(&self) -> Result<Vec<Record>> {
        let record = |json: &Vec<u8>| Record::from_json(json, Identity::Content, SOURCE);
        Ok(self.json.iter().map(record).collect::<Result<_, _>>()?)
    }

    /// Their size on average, in bytes.
    pub(crate) fn average(&self) -> usize {
        self.json.iter().map(Vec::len).sum::<usize>() / self.json.len().max(1)
    }
}
