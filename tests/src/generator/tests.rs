use std::collections::BTreeSet;

use audit_schema::{decode::Decoder, problem::Code};
use chrono::DateTime;

use super::{Event, Generator, IdKind};
use crate::{
    kafka::{Acknowledged, RawRecord, Record},
    oracle::Expected,
};

fn generator(seed: u64) -> Generator {
    Generator::new(seed, DateTime::from_timestamp(1_736_937_000, 0).unwrap())
}

#[test]
fn the_same_seed_gives_the_same_events() {
    let values =
        |seed| -> Vec<Vec<u8>> { generator(seed).events(100).iter().map(Event::value).collect() };
    assert_eq!(values(1), values(1));
    assert_ne!(values(1), values(2));
}

#[test]
fn events_are_as_large_and_as_varied_as_real_ones() {
    let events = generator(3).events(2_000);
    let bytes: usize = events.iter().map(|event| event.value().len()).sum();
    let average = bytes / events.len();
    assert!((1_700..2_500).contains(&average), "{average} bytes on average");

    let mut decoder = Decoder::default();
    let mut names = BTreeSet::new();
    let mut outcomes = BTreeSet::new();
    for event in &events {
        let value = event.value();
        let decoded = decoder.decode(&value).expect("generated events are valid");
        assert_eq!(decoded.id, event.id);
        assert!(decoded.steps().len() <= 12);
        names.insert(decoded.columns.workflow_name.to_owned());
        outcomes.insert(decoded.columns.outcome.to_owned());
    }
    assert_eq!((names.len(), outcomes.len()), (50, 3));
}

#[test]
fn other_spellings_are_the_same_content_and_conflicts_another() {
    let mut generator = generator(4);
    let mut decoder = Decoder::default();
    let mut digest = |event: &Event| {
        let value = event.value();
        let decoded = decoder.decode(&value).expect("generated events are valid");
        decoded.content_hash()
    };
    for kind in IdKind::ALL {
        let event = generator.event(kind);
        assert_ne!(event.value(), event.respelled().value());
        assert_eq!(digest(&event), digest(&event.respelled()));

        let conflict = generator.conflict(&event);
        assert_eq!(conflict.id, event.id);
        assert_ne!(digest(&conflict), digest(&event));
        assert_ne!(digest(&generator.conflict(&conflict)), digest(&event), "not back to the first");
    }
}

#[test]
fn every_poison_is_refused_for_its_own_reason() {
    let mut generator = generator(5);
    for code in Generator::poisons() {
        let mut expected = Expected::default();
        expected.see(&received(generator.poison(code)));
        let codes: Vec<Code> = expected.dead_letters.into_values().collect();
        assert_eq!(codes, [code]);
    }
}

fn received(record: Record) -> RawRecord {
    RawRecord {
        at: Acknowledged { partition: 0, offset: 0, timestamp_ms: 1 },
        key: record.key,
        value: record.value,
        headers: record.headers,
    }
}
