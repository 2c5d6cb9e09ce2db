//! JSON values as `jsonb` tells them apart: numbers by value, objects without order.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Boolean(bool),
    Number(Decimal),
    /// A number that must be written as Go writes an int.
    Integer(i64),
    String(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

/// `mantissa · 10^exponent`, the mantissa without trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Decimal {
    pub(crate) mantissa: i64,
    pub(crate) exponent: i32,
}

impl Decimal {
    pub(crate) fn new(mut mantissa: i64, mut exponent: i32) -> Self {
        if mantissa == 0 {
            return Self { mantissa: 0, exponent: 0 };
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        Self { mantissa, exponent }
    }

    /// As PostgreSQL writes a `numeric`: all digits, no exponent.
    pub(crate) fn plain(self) -> String {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let mut digits = self.mantissa.unsigned_abs().to_string();
        if let Ok(zeros) = usize::try_from(self.exponent) {
            digits.push_str(&"0".repeat(zeros));
            return format!("{sign}{digits}");
        }
        let fraction = usize::try_from(-self.exponent).unwrap();
        let digits = format!("{digits:0>width$}", width = fraction + 1);
        let (integer, fraction) = digits.split_at(digits.len() - fraction);
        format!("{sign}{integer}.{fraction}")
    }
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-zA-Z0-9 _.-]{0,24}",
        1 => "[\u{1}-\u{7f}é\u{2028}😀\u{10ffff}]{0,8}",
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        // Few enough to meet again, with common beginnings and lengths that jsonb sorts first.
        3 => prop::sample::select(vec!["a", "b", "ab", "aa", "", "step_a", "step_number_1", "step_number_2", "z"])
            .prop_map(String::from),
        1 => text(),
    ]
}

pub(crate) fn json() -> impl Strategy<Value = Json> {
    let mantissa = prop_oneof![-3_i64..=3, any::<i64>()];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Boolean),
        (mantissa, -250..=250_i32).prop_map(|(m, e)| Json::Number(Decimal::new(m, e))),
        (0_i64..200, -2..=2_i32).prop_map(|(m, e)| Json::Number(Decimal::new(m, e))),
        text().prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Json::Array),
            btree_map(key(), inner, 0..5).prop_map(Json::Object),
        ]
    })
}

pub(crate) fn object() -> impl Strategy<Value = BTreeMap<String, Json>> {
    btree_map(key(), json(), 0..4)
}
