//! The digest is equal exactly when the columns are, and can be taken again from the row.

use audit_schema::decode::Decoder;
use audit_schema::digest::{Canonicalizer, Digest, of_row};
use proptest::prelude::*;
use uuid::Uuid;

use crate::cases;
use crate::content::{Content, content};

const ID: Uuid = Uuid::from_u128(7);

fn digest(decoder: &mut Decoder, value: &str) -> Digest {
    match decoder.decode(value.as_bytes()) {
        Ok(event) => event.digest(ID),
        Err(rejection) => panic!("{rejection}: {value}"),
    }
}

fn assert_scalars_agree(decoder: &mut Decoder, value: &str, content: &Content) {
    let event = decoder.decode(value.as_bytes()).unwrap();
    content.with_row(|row| {
        // JSON columns differ in their spelling; the digest compares them.
        let decoded = audit_schema::columns::Columns {
            step_executions: row.step_executions,
            adaptive_adjustments: row.adaptive_adjustments,
            extensions: row.extensions,
            ..event.columns
        };
        assert_eq!(decoded, *row, "{value}");
    });
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn every_spelling_of_a_content_has_its_digest(
        content in content(),
        seeds in any::<[u64; 3]>(),
    ) {
        let mut decoder = Decoder::default();
        let row = content.with_row(|row| of_row(&mut Canonicalizer::default(), ID, row));
        for seed in seeds {
            let value = content.encode(seed);
            prop_assert_eq!(Ok(digest(&mut decoder, &value)), row.clone(), "{}", value);
            assert_scalars_agree(&mut decoder, &value, &content);
        }
    }

    #[test]
    fn digests_are_equal_exactly_when_contents_are(
        one in content(),
        other in content(),
        fields in prop_oneof![(0..16).prop_map(|bit| 1_u16 << bit), any::<u16>()],
        seeds in any::<[u64; 2]>(),
    ) {
        let mut decoder = Decoder::default();
        let mixed = one.mixed_with(&other, fields);
        let digests = (
            digest(&mut decoder, &one.encode(seeds[0])),
            digest(&mut decoder, &mixed.encode(seeds[1])),
        );
        prop_assert_eq!(digests.0 == digests.1, one == mixed, "{:?}\n{:?}", one, mixed);
    }

    #[test]
    fn an_id_written_into_the_value_changes_nothing_else(
        content in content(),
        seed in any::<u64>(),
        id in any::<u128>().prop_map(Uuid::from_u128),
    ) {
        let value = content.encode(seed);
        let mut decoder = Decoder::default();
        let event = decoder.decode(value.as_bytes()).unwrap();
        let expected = (event.digest(id), event.content_hash());
        let with_id = event.encode_with_id(id).unwrap();
        let mut decoder = Decoder::default();
        let event = decoder.decode(&with_id).unwrap();
        prop_assert_eq!(event.id, Some(id));
        prop_assert_eq!((event.digest(id), event.content_hash()), expected);
    }
}
