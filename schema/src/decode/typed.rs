//! What a scanned value must be to fit its column: the rules of single values.
//!
//! Null is none everywhere; so is a value whose problem was recorded, here or while it was scanned.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use uuid::Uuid;

use super::scan::Scanner;
use super::scratch::Text;
use super::value::{Kind, Value};
use crate::event::Outcome;
use crate::problem::Code;
use crate::{identity, timestamp};

/// Counts of steps: Go's int as far as an INTEGER column holds it.
pub(super) const COUNT: RangeInclusive<i32> = 0..=i32::MAX;
/// Go's int within a step.
pub(super) const INTEGER: RangeInclusive<i32> = i32::MIN..=i32::MAX;
/// Nanoseconds: all that Go's `time.Duration` holds fits an interval.
pub(super) const DURATION: RangeInclusive<i64> = i64::MIN..=i64::MAX;

impl Scanner<'_, '_> {
    pub(super) fn string(&mut self, value: Value) -> Option<Text> {
        match value.kind {
            Kind::String(text) => Some(text),
            _ => self.wrong_type(value, "a string"),
        }
    }

    /// A string for a VARCHAR column.
    pub(super) fn short_string(&mut self, value: Value, max_chars: usize) -> Option<Text> {
        let text = self.string(value)?;
        // No string has more characters than bytes, and most have few of both.
        if self.at - value.start() > max_chars {
            let chars = self.resolve(text).chars().count();
            if chars > max_chars {
                let message = format!("has {chars} characters, at most {max_chars} are stored");
                self.problem(Code::TooLong, &message, value.start());
            }
        }
        Some(text)
    }

    /// A string for a VARCHAR column that must not be NULL.
    pub(super) fn required_string(&mut self, value: Value, max_chars: usize) -> Text {
        if matches!(value.kind, Kind::Null) {
            self.problem(Code::MissingField, "is required and must not be null", value.start());
        }
        self.short_string(value, max_chars).unwrap_or_default()
    }

    pub(super) fn outcome(&mut self, value: Value) -> Text {
        let text = self.required_string(value, usize::MAX);
        let known = Outcome::ALL.iter().any(|outcome| outcome.as_str() == self.resolve(text));
        if !known && matches!(value.kind, Kind::String(_)) {
            let message = "must be success, failed or partial";
            self.problem(Code::InvalidOutcome, message, value.start());
        }
        text
    }

    pub(super) fn id(&mut self, value: Value) -> Option<Uuid> {
        let text = self.string(value)?;
        let text = self.resolve(text);
        if text.is_empty() {
            return None;
        }
        let id = identity::parse(text);
        if id.is_none() {
            let message = "must be empty or a UUID of 36 characters";
            self.problem(Code::InvalidId, message, value.start());
        }
        id
    }

    pub(super) fn integer<T>(&mut self, value: Value, range: &RangeInclusive<T>) -> Option<T>
    where
        T: Display + FromStr + PartialOrd,
    {
        if !matches!(value.kind, Kind::Integer) {
            return self.wrong_type(value, "an integer, written without fraction and exponent");
        }
        let number = self.literal_text(value).parse().ok();
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let message = format!("must be from {} to {}", range.start(), range.end());
            self.problem(Code::OutOfRange, &message, value.start());
        }
        number
    }

    pub(super) fn score(&mut self, value: Value) -> Option<f64> {
        if !matches!(value.kind, Kind::Integer | Kind::Decimal) {
            return self.wrong_type(value, "a number");
        }
        let score = self.literal_text(value).parse::<f64>().ok();
        let score = score.filter(|score| (0.0..=1.0).contains(score));
        if score.is_none() {
            self.problem(Code::OutOfRange, "must be from 0 to 1", value.start());
        }
        // Adding zero makes negative zero positive and leaves all else.
        score.map(|score| score + 0.0)
    }

    /// Microseconds since the Unix epoch.
    pub(super) fn time(&mut self, value: Value) -> Option<i64> {
        let text = self.string(value)?;
        let micros = timestamp::parse_rfc3339(self.resolve(text));
        if micros.is_none() {
            let message = "must be an RFC 3339 time such as 2025-01-15T10:30:00.123456Z";
            self.problem(Code::InvalidTimestamp, message, value.start());
        }
        micros
    }

    /// The text of a number that was just read.
    fn literal_text(&self, value: Value) -> &str {
        &self.input[value.start()..self.at]
    }

    /// Records that the value should have been something else, unless it is null.
    pub(super) fn wrong_type<T>(&mut self, value: Value, expected: &str) -> Option<T> {
        if !matches!(value.kind, Kind::Null | Kind::Invalid) {
            let message = format!("must be {expected}; it is {}", value.kind.described());
            self.problem(Code::WrongType, &message, value.start());
        }
        None
    }
}
