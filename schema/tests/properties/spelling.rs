//! Encodings of one JSON value: as any client may write it, and as `jsonb` writes it.

use std::fmt::Write as _;

use crate::json::{Decimal, Json};

/// Spells values in ways that a seed decides.
pub(crate) struct Spelling(u64);

impl Spelling {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of `0..choices` (splitmix64).
    pub(crate) fn choose(&mut self, choices: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % choices as u64).unwrap()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.choose(last + 1));
        }
    }

    pub(crate) fn space(&mut self) -> &'static str {
        ["", "", "", "", " ", "\n", "\t \r"][self.choose(7)]
    }

    /// Members in any order, their values already spelled.
    pub(crate) fn object(&mut self, mut members: Vec<(String, String)>) -> String {
        self.shuffle(&mut members);
        let spelled: Vec<_> = members
            .iter()
            .map(|(key, value)| {
                let key = self.string(key);
                format!(
                    "{}{key}{}:{}{value}{}",
                    self.space(),
                    self.space(),
                    self.space(),
                    self.space()
                )
            })
            .collect();
        format!("{{{}}}", spelled.join(","))
    }

    pub(crate) fn json(&mut self, json: &Json) -> String {
        match json {
            Json::Null => "null".into(),
            Json::Boolean(boolean) => boolean.to_string(),
            Json::Number(decimal) => self.number(*decimal),
            Json::Integer(integer) => integer.to_string(),
            Json::String(text) => self.string(text),
            Json::Array(elements) => {
                let elements: Vec<_> = elements
                    .iter()
                    .map(|element| {
                        format!("{}{}{}", self.space(), self.json(element), self.space())
                    })
                    .collect();
                format!("[{}]", elements.join(","))
            }
            Json::Object(members) => {
                let members =
                    members.iter().map(|(key, value)| (key.clone(), self.json(value))).collect();
                self.object(members)
            }
        }
    }

    /// The same value with other digits and exponents.
    pub(crate) fn number(&mut self, Decimal { mantissa, exponent }: Decimal) -> String {
        let plain = Decimal { mantissa, exponent }.plain();
        match self.choose(4) {
            0 if plain.len() <= 60 => plain,
            1 if plain.len() <= 50 && plain.contains('.') => format!("{plain}00"),
            2 => {
                let e = ["e", "E"][self.choose(2)];
                let plus = if exponent >= 0 { ["", "+", "00"][self.choose(3)] } else { "" };
                format!("{mantissa}{e}{plus}{exponent}")
            }
            _ => {
                let zeros = if mantissa == 0 { 0 } else { self.choose(5) };
                let exponent = exponent - i32::try_from(zeros).unwrap();
                format!(
                    "{mantissa}{}.{}e{exponent}",
                    "0".repeat(zeros),
                    "0".repeat(1 + self.choose(3))
                )
            }
        }
    }

    pub(crate) fn string(&mut self, text: &str) -> String {
        let mut spelled = String::from("\"");
        for character in text.chars() {
            let must = character < ' ' || character == '"' || character == '\\';
            if !must && self.choose(8) > 0 {
                spelled.push(character);
                continue;
            }
            let short = match character {
                '"' => Some("\\\""),
                '\\' => Some("\\\\"),
                '/' => Some("\\/"),
                '\u{8}' => Some("\\b"),
                '\u{c}' => Some("\\f"),
                '\n' => Some("\\n"),
                '\r' => Some("\\r"),
                '\t' => Some("\\t"),
                _ => None,
            };
            if let Some(short) = short.filter(|_| self.choose(2) == 0) {
                spelled.push_str(short);
                continue;
            }
            for unit in character.encode_utf16(&mut [0; 2]) {
                if self.choose(2) == 0 {
                    write!(spelled, "\\u{unit:04x}").unwrap();
                } else {
                    write!(spelled, "\\u{unit:04X}").unwrap();
                }
            }
        }
        spelled.push('"');
        spelled
    }
}

/// As PostgreSQL writes `jsonb`: keys by length and then bytes, a space behind colon and comma,
/// numbers without exponent, control characters escaped.
pub(crate) fn jsonb(json: &Json) -> String {
    match json {
        Json::Null => "null".into(),
        Json::Boolean(boolean) => boolean.to_string(),
        Json::Number(decimal) => decimal.plain(),
        Json::Integer(integer) => integer.to_string(),
        Json::String(text) => serde_json::to_string(text).unwrap(),
        Json::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(jsonb).collect();
            format!("[{}]", elements.join(", "))
        }
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| (key.len(), *key));
            let members: Vec<_> = members
                .iter()
                .map(|(key, value)| {
                    format!("{}: {}", serde_json::to_string(key).unwrap(), jsonb(value))
                })
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}
