//! The state of an id depends on which records were seen, not on their order or number.

use std::collections::BTreeMap;

use audit_schema::digest::Digest;
use audit_schema::version::{Contents, Disposition, Earliest, Ranked, Version};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::cases;

#[derive(Clone, Copy, Debug)]
struct Record {
    digest: Digest,
    version: Version,
    created_at: i64,
}

/// Few contents and versions, so that they meet.
fn record() -> impl Strategy<Value = Record> {
    (0..4_u8, 0..3_i64, 0..2_i32, 0..4_i64, 0..5_i64).prop_map(
        |(content, timestamp_ms, partition, offset, created_at)| Record {
            digest: Digest([content; 32]),
            version: Version { timestamp_ms, partition, offset },
            created_at,
        },
    )
}

/// A set of records, and two orders of it with repetitions.
fn orders() -> impl Strategy<Value = [Vec<Record>; 2]> {
    let order = |records: &Vec<Record>, again: &[Index]| {
        let again = again.iter().map(|index| *index.get(records));
        let repeated: Vec<_> = records.iter().copied().chain(again).collect();
        Just(repeated).prop_shuffle()
    };
    let indices = || vec(any::<Index>(), 0..8);
    (vec(record(), 1..10), indices(), indices())
        .prop_flat_map(move |(records, a, b)| [order(&records, &a), order(&records, &b)])
}

fn fold(records: &[Record]) -> (Contents, BTreeMap<&'static str, usize>) {
    let first = records[0];
    let mut contents = Contents::first(first.digest, first.version, first.created_at);
    let mut counts = BTreeMap::from([(Disposition::Stored.as_str(), 1)]);
    for record in &records[1..] {
        let disposition = contents.see(record.digest, record.version, record.created_at);
        *counts.entry(disposition.as_str()).or_default() += 1;
    }
    (contents, counts)
}

/// The rule said once more, over the whole set at a time.
fn expected(records: &[Record]) -> Contents {
    let mut ranks = BTreeMap::new();
    for record in records {
        let rank = ranks.entry(record.digest).or_insert(record.version);
        *rank = record.version.max(*rank);
    }
    let current = ranks.iter().map(|(digest, rank)| Ranked { rank: *rank, digest: *digest }).max();
    let current = current.unwrap();
    ranks.remove(&current.digest);
    let earliest = records
        .iter()
        .map(|record| Earliest { version: record.version, created_at: record.created_at })
        .min();
    Contents::restore(current, ranks, earliest.unwrap())
}

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn any_order_and_repetition_gives_the_same_state([one, other] in orders()) {
        let (state, _) = fold(&one);
        prop_assert_eq!(&state, &expected(&one));
        prop_assert_eq!(&state, &fold(&other).0);
    }

    #[test]
    fn each_content_is_counted_as_new_once([records, _] in orders()) {
        let (state, counts) = fold(&records);
        let count = |disposition: Disposition| counts.get(disposition.as_str()).copied().unwrap_or(0);
        let new = count(Disposition::Stored) + count(Disposition::Superseding) + count(Disposition::Late);
        prop_assert_eq!(new, 1 + state.history().len());
        prop_assert_eq!(new + count(Disposition::Duplicate), records.len());
    }

    #[test]
    fn folding_may_stop_and_go_on([records, _] in orders(), stop in any::<Index>()) {
        let (before, after) = records.split_at(stop.index(records.len()) .max(1));
        let (state, _) = fold(before);
        let mut state = Contents::restore(state.current(), state.history(), state.earliest());
        for record in after {
            state.see(record.digest, record.version, record.created_at);
        }
        prop_assert_eq!(state, fold(&records).0);
    }
}
