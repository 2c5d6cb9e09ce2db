//! Our grammar is serde_json's.

use audit_schema::decode::Decoder;
use audit_schema::problem::Code;
use proptest::collection::vec;
use proptest::prelude::*;
use serde::de::IgnoredAny;

use crate::cases;
use crate::json::json;
use crate::spelling::Spelling;

/// Tokens, broken tokens and what stands between them.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"a\"",
    "\"b\":",
    "\\",
    "\\u00e9",
    "\"\\n\"",
    "\\ud83d",
    "0",
    "1",
    "-",
    "+",
    ".",
    "e",
    "E",
    "12",
    "0.5",
    "1e5",
    "-0",
    "01",
    "null",
    "true",
    "false",
    "nul",
    " ",
    "\n",
    "\t",
    "\r",
    "\u{b}",
    "\u{a0}",
    "é",
    "\u{1}",
    "{}",
    "[]",
    "{\"k\":1}",
    "/",
    "x",
];

fn assert_same_verdict(text: &str) {
    let ours = match Decoder::default().decode(text.as_bytes()) {
        Ok(_) => true,
        // Too deep for us to go on, not for serde_json.
        Err(rejection) if rejection.code == Code::TooDeep => return,
        Err(rejection) => rejection.code != Code::InvalidJson,
    };
    let theirs = serde_json::from_str::<IgnoredAny>(text);
    assert_eq!(ours, theirs.is_ok(), "{text:?}: {theirs:?}");
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn on_sequences_of_tokens(pieces in vec(prop::sample::select(PIECES), 0..12)) {
        assert_same_verdict(&pieces.concat());
    }

    #[test]
    fn on_sequences_of_tokens_within_an_object(pieces in vec(prop::sample::select(PIECES), 0..8)) {
        assert_same_verdict(&format!("{{\"x\":{}}}", pieces.concat()));
    }

    #[test]
    fn on_numbers(text in "-?[0-9]{0,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,3})?[0-9.eE+-]{0,2}") {
        assert_same_verdict(&text);
    }

    #[test]
    fn on_strings(text in "\"[a\\\\\"/bfnrtu0-9d\u{0}-\u{1f}é]{0,10}\"") {
        assert_same_verdict(&text);
    }
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn on_values_with_one_piece_replaced(
        json in json(),
        seed in any::<u64>(),
        place in any::<prop::sample::Index>(),
        removed in 0..3_usize,
        piece in prop::sample::select(PIECES),
    ) {
        let text = Spelling::new(seed).json(&json);
        assert_same_verdict(&text);

        let mut characters: Vec<char> = text.chars().collect();
        let start = place.index(characters.len());
        let end = (start + removed).min(characters.len());
        characters.splice(start..end, piece.chars());
        assert_same_verdict(&characters.into_iter().collect::<String>());
    }
}
