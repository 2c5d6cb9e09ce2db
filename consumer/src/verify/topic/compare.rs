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

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use fastrand::Rng;
    use uuid::Uuid;

    use super::super::area::Extent;
    use super::*;

    /// It carries no time.
    const ID: Uuid = Uuid::from_u128(7);
    const OFFSETS: Range<i64> = 0..12;

    /// A record of the id at every other offset or so, with few contents, so that they meet.
    fn records(random: &mut Rng) -> Vec<Entry> {
        let mut records = Vec::new();
        for offset in OFFSETS {
            if random.bool() || records.is_empty() {
                records.push(Entry {
                    id: ID,
                    origin: Origin::Record,
                    // Times do not follow offsets, as under CreateTime.
                    version: Version { timestamp_ms: random.i64(..4), partition: 0, offset },
                    digest: Digest([random.u8(..4); 32]),
                    created_at: random.i64(..3),
                    of_topic: true,
                });
            }
        }
        records
    }

    /// What the tables hold after these records.
    fn stored(records: &[Entry]) -> Vec<Entry> {
        let contents = fold(records).expect("there is a record");
        let earliest = contents.earliest();
        let entry = |origin, version, digest| Entry {
            id: ID,
            origin,
            version,
            digest,
            created_at: earliest.created_at,
            of_topic: true,
        };
        let current = contents.current();
        let mut stored = vec![
            entry(Origin::Registry, earliest.version, Digest([0; 32])),
            entry(Origin::Row, current.rank, current.digest),
        ];
        stored
            .extend(contents.history().map(|(digest, rank)| entry(Origin::History, rank, digest)));
        stored
    }

    fn fold(records: &[Entry]) -> Option<Contents> {
        let (first, rest) = records.split_first()?;
        let mut contents = Contents::first(first.digest, first.version, first.created_at);
        for record in rest {
            contents.see(record.digest, record.version, record.created_at);
        }
        Some(contents)
    }

    /// The number of findings, and of contents that were not read.
    fn compared(stored: &[Entry], records: &[Entry], read: &Range<i64>) -> (u64, u64) {
        let within = |record: &&Entry| read.contains(&record.version.offset);
        let records: Vec<Entry> = records.iter().filter(within).copied().collect();
        let of = |origin| stored.iter().filter(move |entry| entry.origin == origin).copied();
        let id = Id {
            id: ID,
            registered: of(Origin::Registry).next(),
            rows: of(Origin::Row).collect(),
            history: of(Origin::History).collect(),
            expected: fold(&records),
        };
        let mut area = Area::default();
        area.add(0, Extent { read: vec![read.clone()], former: Vec::new() });
        let mut findings = Findings::new(0);
        id.check(&mut findings);
        let outside = compare(&id, "t", &area, &mut findings);
        (findings.total(), outside)
    }

    fn some_range(random: &mut Rng) -> Range<i64> {
        let start = random.i64(OFFSETS);
        start..random.i64(start..=OFFSETS.end)
    }

    #[test]
    fn whatever_part_is_read_there_is_no_false_alarm() {
        let mut random = Rng::with_seed(1);
        for _ in 0..20_000 {
            let records = records(&mut random);
            let stored = stored(&records);
            assert_eq!(compared(&stored, &records, &OFFSETS), (0, 0), "{records:#?}");
            let part = some_range(&mut random);
            assert_eq!(compared(&stored, &records, &part).0, 0, "{part:?} of {records:#?}");
        }
    }

    #[test]
    fn whatever_is_changed_is_found_when_all_is_read() {
        let mut random = Rng::with_seed(2);
        for _ in 0..20_000 {
            let records = records(&mut random);
            let mut stored = stored(&records);
            let at = random.usize(..stored.len());
            let entry = &mut stored[at];
            match random.u8(..6) {
                0 => drop(stored.remove(at)),
                1 => entry.version.offset = OFFSETS.end - 1 - entry.version.offset,
                2 => entry.version.timestamp_ms += random.i64(1..3),
                3 => entry.created_at += 1,
                4 if entry.origin == Origin::Registry => entry.version.offset += 1,
                4 => entry.digest = Digest([9; 32]),
                _ => entry.of_topic = entry.origin == Origin::Registry,
            }
            let unchanged = self::stored(&records) == stored;
            assert_eq!(compared(&stored, &records, &OFFSETS).0 == 0, unchanged, "{stored:#?}");
        }
    }
}
