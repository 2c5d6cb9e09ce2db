//! What the topic's records of an id come to, and what the tables hold of it.

use std::collections::BTreeMap;

use audit_schema::digest::Digest;
use audit_schema::version::{Contents, Version};

use super::area::Area;
use crate::verify::entry::{Entry, Origin};
use crate::verify::finding::Findings;
use crate::verify::ids::Id;

/// Compares one id. A content whose rank is that of a record outside the area (deleted from the topic, of another
/// topic, not asked for) is only held to what was read; gives how many such contents there are.
pub(in crate::verify) fn compare(
    id: &Id,
    topic: &str,
    area: &Area,
    findings: &mut Findings,
) -> u64 {
    let mut expected: BTreeMap<Digest, Version> = BTreeMap::new();
    if let Some(contents) = &id.expected {
        expected.extend(contents.history());
        expected.insert(contents.current().digest, contents.current().rank);
    }
    let mut outside = 0;
    for held in id.held() {
        let read = held.of_topic && area.has(held.version);
        outside += u64::from(!read);
        let found = match expected.remove(&held.digest) {
            Some(rank) if held.of_topic && held.version == rank => continue,
            // A record that was not read may have raised it.
            Some(rank) if !read && held.version > rank => continue,
            Some(rank) => {
                format!(
                    "its rank is not that of the content's last record ({})",
                    place(topic, rank)
                )
            }
            None if read => "the topic's record is not this content".to_owned(),
            None => continue,
        };
        findings.push(id.finding(held.origin, found).at_version(topic, held.version));
    }
    for rank in expected.into_values() {
        let found = "a content of the topic is neither current nor in the history";
        findings.push(id.finding(Origin::Record, found).at_version(topic, rank));
    }
    if let Some(registered) = &id.registered
        && let Some(found) = registration(registered, id.expected.as_ref(), area)
    {
        let finding = id.finding(Origin::Registry, found);
        findings.push(finding.at_version(topic, registered.version));
    }
    outside
}

/// What is wrong with the registration of an id that carries no time.
fn registration(
    registered: &Entry,
    expected: Option<&Contents>,
    area: &Area,
) -> Option<&'static str> {
    let read = registered.of_topic && area.has(registered.version);
    let Some(earliest) = expected.map(Contents::earliest) else {
        return read.then_some("the topic's record is not of this id");
    };
    if registered.version > earliest.version {
        Some("the topic has an earlier record of this id")
    } else if registered.version == earliest.version {
        let differs = registered.created_at != earliest.created_at;
        differs.then_some("created_at is not what its earliest record says")
    } else {
        read.then_some("the topic's record is not of this id")
    }
}

fn place(topic: &str, version: Version) -> String {
    format!("{topic}:{}:{}", version.partition, version.offset)
}
