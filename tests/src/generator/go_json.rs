//! JSON as Go's `encoding/json` writes it.

use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset, SecondsFormat};

/// Go's zero `time.Time`.
pub(super) const ZERO_TIME: &str = "\"0001-01-01T00:00:00Z\"";

/// Names and JSON texts, in order. A name may occur twice: some poison needs that.
pub(super) type Fields = Vec<(&'static str, String)>;

/// An object in Go's spelling: no spaces, fields in the order of the struct.
pub(super) fn object(fields: &Fields) -> Vec<u8> {
    let members: Vec<String> =
        fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

/// The same object as another program might spell it: other order, with spaces.
pub(super) fn spaced_object(fields: &Fields) -> Vec<u8> {
    let members: Vec<String> =
        fields.iter().rev().map(|(name, value)| format!("  \"{name}\" : {value}")).collect();
    format!("{{\n{}\n}}\n", members.join(",\n")).into_bytes()
}

/// An array.
pub(super) fn array(elements: impl IntoIterator<Item = Fields>) -> String {
    let elements: Vec<String> = elements
        .into_iter()
        .map(|fields| String::from_utf8_lossy(&object(&fields)).into_owned())
        .collect();
    format!("[{}]", elements.join(","))
}

/// A string. Go also escapes what would end a script element, and the line separators of
/// JavaScript.
pub(super) fn string(text: &str) -> String {
    let mut json = String::from('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..'\u{20}' => {
                write!(json, "\\u{:04x}", u32::from(character)).expect("a String takes all");
            }
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

/// A `time.Time`: RFC 3339 with as many digits of the second as are not zero.
pub(super) fn time(time: DateTime<FixedOffset>) -> String {
    let text = time.to_rfc3339_opts(SecondsFormat::Nanos, true);
    let (seconds, rest) = text.split_once('.').expect("nanoseconds were asked for");
    let (fraction, zone) = rest.split_at(9);
    match fraction.trim_end_matches('0') {
        "" => format!("\"{seconds}{zone}\""),
        digits => format!("\"{seconds}.{digits}{zone}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_go_does() {
        assert_eq!(
            string("a<b> & \"c\"\n\u{1}é\u{2028}"),
            r#""a\u003cb\u003e \u0026 \"c\"\n\u0001é\u2028""#
        );
    }

    #[test]
    fn times_have_the_digits_they_need() {
        let json = |text| time(DateTime::parse_from_rfc3339(text).unwrap());
        assert_eq!(json("2025-01-15T10:30:00Z"), "\"2025-01-15T10:30:00Z\"");
        assert_eq!(json("2025-01-15T10:30:00.120000000+02:00"), "\"2025-01-15T10:30:00.12+02:00\"");
        assert_eq!(json("2025-01-15T10:30:00.123456789Z"), "\"2025-01-15T10:30:00.123456789Z\"");
    }
}
