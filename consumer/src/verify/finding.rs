//! What is wrong, one line each.

use audit_schema::version::Version;
use serde::Serialize;
use uuid::Uuid;

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: `ledger`, `sums`, `row`, `history`, `audit_id`, `dead letter`, `partition` or `topic`.
    pub check: &'static str,
    /// The event's id.
    pub id: Option<Uuid>,
    /// The stream.
    pub stream: Option<String>,
    /// The record or records, as TOPIC:PARTITION:OFFSET or TOPIC:PARTITION:FROM-TO.
    pub place: Option<String>,
    /// What is wrong.
    pub found: String,
}

impl Finding {
    /// About a whole.
    pub(super) fn new(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, id: None, stream: None, place: None, found: found.into() }
    }

    /// The same of one id.
    pub(super) fn of(self, id: Uuid) -> Self {
        Self { id: Some(id), ..self }
    }

    /// The same of one stream.
    pub(super) fn in_stream(self, stream: &str) -> Self {
        Self { stream: Some(stream.to_owned()), ..self }
    }

    /// The same of one record.
    pub(super) fn at(self, topic: &str, partition: i32, offset: i64) -> Self {
        Self { place: Some(format!("{topic}:{partition}:{offset}")), ..self }
    }

    /// The same of the record of a rank.
    pub(super) fn at_version(self, topic: &str, version: Version) -> Self {
        self.at(topic, version.partition, version.offset)
    }

    /// The same of the offsets from `first` to `last`.
    pub(super) fn over(self, topic: &str, partition: i32, first: i64, last: i64) -> Self {
        Self { place: Some(format!("{topic}:{partition}:{first}-{last}")), ..self }
    }
}

/// All that was found; of many, only the first are kept.
#[derive(Debug)]
pub struct Findings {
    limit: usize,
    kept: Vec<Finding>,
    total: u64,
}

impl Findings {
    /// None yet; at most `limit` will be kept.
    pub fn new(limit: usize) -> Self {
        Self { limit, kept: Vec::new(), total: 0 }
    }

    pub(super) fn push(&mut self, finding: Finding) {
        self.total += 1;
        if self.kept.len() < self.limit {
            self.kept.push(finding);
        }
    }

    /// The first of them, in the order they were found.
    pub fn kept(&self) -> &[Finding] {
        &self.kept
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_are_kept() {
        let mut findings = Findings::new(2);
        for number in 0..5 {
            findings.push(Finding::new("row", number.to_string()));
        }
        let kept: Vec<_> = findings.kept().iter().map(|finding| &*finding.found).collect();
        assert_eq!((findings.total(), kept), (5, vec!["0", "1"]));
    }
}
