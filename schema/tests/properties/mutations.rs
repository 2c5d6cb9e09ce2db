//! No bytes make the decoder panic, and what it accepts it understood.

use audit_schema::decode::Decoder;
use audit_schema::digest::{Canonicalizer, of_row};
use audit_schema::problem::MAX_PROBLEMS;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde::de::IgnoredAny;
use uuid::Uuid;

use crate::cases;
use crate::content::content;

#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index, Index),
    Copy(Index, Index, Index),
    Truncate(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let structural = prop::sample::select(b"{}[]\",:\\0-e".to_vec());
    let byte = || prop_oneof![structural.clone(), any::<u8>()];
    let index = any::<Index>;
    prop_oneof![
        4 => (index(), byte()).prop_map(|(at, byte)| Mutation::Flip(at, byte)),
        2 => (index(), byte()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        2 => (index(), index()).prop_map(|(from, to)| Mutation::Remove(from, to)),
        2 => (index(), index(), index()).prop_map(|(from, to, at)| Mutation::Copy(from, to, at)),
        1 => index().prop_map(Mutation::Truncate),
    ]
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let range = |from: &Index, to: &Index| {
            let (a, b) = (from.index(bytes.len()), to.index(bytes.len()));
            a.min(b)..a.max(b)
        };
        match self {
            Self::Flip(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
            Self::Remove(from, to) => drop(bytes.drain(range(from, to))),
            Self::Copy(from, to, at) => {
                let copied = bytes[range(from, to)].to_vec();
                let at = at.index(bytes.len());
                bytes.splice(at..at, copied);
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}

fn assert_sound(decoder: &mut Decoder, bytes: &[u8]) {
    match decoder.decode(bytes) {
        Ok(event) => {
            // The pass over the event and the pass over its columns agree.
            let id = event.id.unwrap_or(Uuid::nil());
            let of_columns = of_row(&mut Canonicalizer::default(), id, &event.columns);
            assert_eq!(of_columns, Ok(event.digest(id)));
            assert!(serde_json::from_slice::<IgnoredAny>(bytes).is_ok());
        }
        Err(rejection) => {
            assert!((1..=MAX_PROBLEMS).contains(&rejection.problems.len()));
            assert!(rejection.problems.iter().any(|problem| problem.code == rejection.code));
            assert!(rejection.problems.iter().all(|problem| problem.offset <= bytes.len()));
            let text = rejection.to_string();
            assert!(!text.contains(char::is_control) && text.len() < 3000, "{text}");
        }
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn of_valid_events(
        content in content(),
        seed in any::<u64>(),
        mutations in vec(vec(mutation(), 1..4), 8),
    ) {
        let value = content.encode(seed);
        let mut decoder = Decoder::default();
        for mutations in mutations {
            let mut bytes = value.clone().into_bytes();
            mutations.iter().for_each(|mutation| mutation.apply(&mut bytes));
            assert_sound(&mut decoder, &bytes);
        }
        assert_sound(&mut decoder, value.as_bytes());
    }
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn of_nothing(bytes in vec(any::<u8>(), 0..64)) {
        assert_sound(&mut Decoder::default(), &bytes);
    }
}
