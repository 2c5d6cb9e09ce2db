//! What is wrong with an event, said so that a publisher can mend it and an operator can sort by it.

use std::fmt;
use std::str::FromStr;

/// At most this many problems are collected for one event; a value can hold a million of them.
pub const MAX_PROBLEMS: usize = 32;

/// Bounds for texts that end up in logs, HTTP answers and dead letters, in characters.
const MAX_MESSAGE_CHARS: usize = 400;
const MAX_PATH_CHARS: usize = 200;
const MAX_DISPLAY_BYTES: usize = 2000;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kind of a problem. Its text form is stored with dead letters and is stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, in the order of declaration.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable `snake_case` name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }
        }
    };
}

codes! {
    /// The record has no value.
    Tombstone = "tombstone",
    /// The value exceeds [`crate::topic::MAX_EVENT_BYTES`].
    TooLarge = "too_large",
    /// The value is not UTF-8.
    InvalidUtf8 = "invalid_utf8",
    /// The value is not JSON (RFC 8259).
    InvalidJson = "invalid_json",
    /// The value is JSON, but not an object.
    NotAnObject = "not_an_object",
    /// A key occurs twice in one object, at any depth.
    DuplicateKey = "duplicate_key",
    /// Arrays and objects are nested too deeply.
    TooDeep = "too_deep",
    /// A string holds U+0000, which PostgreSQL cannot store.
    NulCharacter = "nul_character",
    /// A string holds half of a UTF-16 surrogate pair.
    LoneSurrogate = "lone_surrogate",
    /// A number literal is too long, or its exponent too large, for `jsonb` to give it back.
    NumberOutOfRange = "number_out_of_range",
    /// A required field is absent or null.
    MissingField = "missing_field",
    /// A field has another JSON type than its column.
    WrongType = "wrong_type",
    /// A number is outside the range of its column.
    OutOfRange = "out_of_range",
    /// A string is longer than its column.
    TooLong = "too_long",
    /// The outcome is none of success, failed, partial.
    InvalidOutcome = "invalid_outcome",
    /// The id is not a UUID.
    InvalidId = "invalid_id",
    /// A time is not RFC 3339.
    InvalidTimestamp = "invalid_timestamp",
    /// The `ce_type` header names another kind of event.
    UnknownEventType = "unknown_event_type",
    /// The `ce_specversion` header names a CloudEvents version other than 1.0.
    UnsupportedSpecVersion = "unsupported_spec_version",
    /// The record is a CloudEvent in structured mode; only binary mode is read.
    StructuredMode = "structured_mode",
    /// The `ce_subject` header is not a UUID.
    InvalidSubject = "invalid_subject",
    /// The value and the `ce_subject` header name different ids.
    IdMismatch = "id_mismatch",
    /// The database refused this one record.
    DatabaseRejected = "database_rejected",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of a [`Code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a problem code")]
pub struct UnknownCode;

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|code| code.as_str() == name);
        found.copied().ok_or(UnknownCode)
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// For example `step_executions[3].duration`; empty for the value as a whole.
    pub path: String,
    /// The kind of problem.
    pub code: Code,
    /// What is wrong, with the limit; never a whole value, never U+0000.
    pub message: String,
    /// Byte offset in the value.
    pub offset: usize,
}

impl Problem {
    /// Bounds `path` and `message` and takes control characters out of them.
    #[must_use]
    pub fn new(code: Code, path: &str, message: &str, offset: usize) -> Self {
        Self {
            path: bounded(path, MAX_PATH_CHARS),
            code,
            message: bounded(message, MAX_MESSAGE_CHARS),
            offset,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Why an event is refused: by the gateway with 400, by the consumer as a dead letter.
///
/// The display form is one bounded line: `path: what is wrong; path: what is wrong`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", summary(.problems))]
pub struct Rejection {
    /// The code of the first problem, or of what ended the scan.
    pub code: Code,
    /// In the order of finding, never empty, at most [`MAX_PROBLEMS`].
    pub problems: Vec<Problem>,
}

impl Rejection {
    /// A rejection of the record as a whole, such as a tombstone or a database error.
    #[must_use]
    pub fn new(code: Code, message: &str) -> Self {
        Self::from(Problem::new(code, "", message, 0))
    }
}

impl From<Problem> for Rejection {
    fn from(problem: Problem) -> Self {
        Self { code: problem.code, problems: vec![problem] }
    }
}

fn summary(problems: &[Problem]) -> String {
    let mut line = String::new();
    for (index, problem) in problems.iter().enumerate() {
        let text = problem.to_string();
        if index > 0 && line.len() + text.len() > MAX_DISPLAY_BYTES {
            line.push_str(&format!("; and {} more", problems.len() - index));
            break;
        }
        if index > 0 {
            line.push_str("; ");
        }
        line.push_str(&text);
    }
    line
}

fn bounded(text: &str, max_chars: usize) -> String {
    let visible = |c: char| if c.is_control() { '\u{FFFD}' } else { c };
    match text.char_indices().nth(max_chars) {
        None => text.chars().map(visible).collect(),
        Some((end, _)) => text[..end].chars().map(visible).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_name() {
        for code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
        assert_eq!("no_such_code".parse::<Code>(), Err(UnknownCode));
    }

    #[test]
    fn a_rejection_reads_as_one_line_naming_each_path() {
        let problems = vec![
            Problem::new(Code::InvalidOutcome, "outcome", "must be success, failed or partial", 7),
            Problem::new(Code::TooLong, "status", "has 51 characters, at most 50", 9),
        ];
        let rejection = Rejection { code: Code::InvalidOutcome, problems };
        assert_eq!(
            rejection.to_string(),
            "outcome: must be success, failed or partial; status: has 51 characters, at most 50"
        );
    }

    #[test]
    fn texts_are_bounded_and_hold_no_control_characters() {
        let problem = Problem::new(Code::WrongType, &"k\0".repeat(5000), &"é\n".repeat(5000), 0);
        assert_eq!(problem.path.chars().count(), MAX_PATH_CHARS + 1);
        assert_eq!(problem.message.chars().count(), MAX_MESSAGE_CHARS + 1);
        assert!(!problem.to_string().contains(char::is_control));

        let rejection = Rejection { code: Code::WrongType, problems: vec![problem; MAX_PROBLEMS] };
        assert!(rejection.to_string().len() < MAX_DISPLAY_BYTES + 100, "{rejection}");
        assert!(rejection.to_string().contains("more"), "{rejection}");
    }
}
