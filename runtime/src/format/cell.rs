//! One value of a result.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A value, as exact as its source gives it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Nothing: SQL NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer of any width.
    Integer(i64),
    /// A double precision number.
    Float(f64),
    /// A text, or what is printed like one: an id, or a time as RFC 3339 in UTC.
    Text(String),
    /// An array of texts.
    Texts(Vec<String>),
    /// JSON as it is stored, with all digits of its numbers.
    Json(Box<RawValue>),
}

impl Cell {
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Float(_))
    }

    /// The whole value as a field of CSV. NULL is an empty field; arrays and objects are JSON.
    pub(super) fn field(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(truth) => truth.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => Value::from(*number).to_string(),
            Self::Text(text) => text.clone(),
            Self::Texts(texts) => Value::from(texts.as_slice()).to_string(),
            Self::Json(json) => json.get().to_owned(),
        }
    }

    /// The whole value for people, on one line.
    pub fn line(&self) -> String {
        one_line(&self.field())
    }

    /// The value in a table: NULL is `-`, a truth value yes or no, a float has three decimals, a text at most `limit` characters, and an array
    /// is its first element and how many more there are.
    pub(super) fn short(&self, limit: usize) -> String {
        match self {
            Self::Null => "-".to_owned(),
            Self::Bool(truth) => if *truth { "yes" } else { "no" }.to_owned(),
            Self::Float(number) => format!("{number:.3}"),
            Self::Texts(texts) => match texts.as_slice() {
                [] => "-".to_owned(),
                [only] => shortened(one_line(only), limit),
                [first, others @ ..] => {
                    format!("{} (+{})", shortened(one_line(first), limit), others.len())
                }
            },
            other => shortened(other.line(), limit),
        }
    }
}

impl From<&Value> for Cell {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::String(text) => Self::Text(text.clone()),
            other => match (other.as_i64(), other.as_f64()) {
                (Some(integer), _) => Self::Integer(integer),
                (None, Some(float)) => Self::Float(float),
                (None, None) => Self::Text(other.to_string()),
            },
        }
    }
}

/// Text from outside on one line of a terminal: control characters, and those that change the direction of what
/// follows, are written as escapes, so that no event can move the cursor or disguise what it says.
pub fn one_line(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

fn shortened(text: String, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Cell {
        Cell::Texts(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn nothing_acts_on_the_terminal() {
        assert_eq!(one_line("a\tb\r\n\u{1b}[31m\u{9b}2J"), "a\\tb\\r\\n\\u{1b}[31m\\u{9b}2J");
        assert_eq!(one_line("\u{202e}drain\u{2069}"), "\\u{202e}drain\\u{2069}");
        assert_eq!(one_line("дрейн 👩‍🚒 \"é\" \\"), "дрейн 👩‍🚒 \"é\" \\");
    }

    #[test]
    fn only_tables_cut() {
        let long = Cell::Text("é".repeat(7));
        assert_eq!(long.short(6), format!("{}…", "é".repeat(6)));
        assert_eq!(long.short(7), "é".repeat(7));
        assert_eq!(long.line(), "é".repeat(7));
        assert_eq!(texts(&["a\nb", "c", "d"]).short(9), "a\\nb (+2)");
        assert_eq!(texts(&["a\nb", "c"]).field(), r#"["a\nb","c"]"#);
        assert_eq!((texts(&[]).short(9), texts(&[]).field()), ("-".to_owned(), "[]".to_owned()));
    }

    #[test]
    fn truth_is_yes_or_no_in_tables_only() {
        let [truth, lie] = [true, false].map(|truth| Cell::from(&Value::from(truth)));
        assert_eq!((truth.short(9), lie.short(9)), ("yes".to_owned(), "no".to_owned()));
        assert_eq!(truth.field(), "true");
        assert_eq!(serde_json::to_value(lie).unwrap(), Value::from(false));
    }

    #[test]
    fn numbers_are_rounded_in_tables_only() {
        let float = Cell::Float(2.0 / 3.0);
        assert_eq!(float.short(9), "0.667");
        assert_eq!(float.field(), "0.6666666666666666");
        assert_eq!(Cell::Float(5.0).field(), "5.0");
    }
}
