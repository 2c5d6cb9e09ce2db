//! The canonical form of any JSON value: one byte string for all its encodings.
//!
//! | value | bytes |
//! |---|---|
//! | null, true, false | `n`, `t`, `f` |
//! | number | see [`super::number`], then 0xFF |
//! | string | `"`, its UTF-8 without escapes, 0xFF |
//! | array | `[`, its elements, `]` |
//! | object | `{`, its members (key as a string, value) by ascending bytes of the key, `}` |
//!
//! Each form says itself where it ends, so two different sequences of values never share bytes.

use super::number::END;
use super::scan::{Key, Scanner, Stop};
use super::scratch::{Member, Text, offset};
use super::value::{Kind, Value};
use crate::problem::Code;

/// The message of [`Code::DuplicateKey`].
pub(super) const REPEATED_KEY: &str =
    "occurs twice in its object; PostgreSQL would silently keep the last";

impl Scanner<'_, '_> {
    /// Reads any value and writes its canonical form.
    pub(super) fn value(&mut self) -> Result<Value, Stop> {
        self.skip_whitespace();
        let start = self.at;
        let kind = match self.peek() {
            Some(b'"') => self.string_value()?,
            Some(b'-' | b'0'..=b'9') => self.read_number()?,
            Some(b'{') => {
                self.object(|_, _, _| {})?;
                Kind::Object
            }
            Some(b'[') => {
                self.array(|scanner| scanner.value().map(drop))?;
                Kind::Array
            }
            Some(b'n') => self.literal("null", Kind::Null)?,
            Some(b't') => self.literal("true", Kind::Boolean)?,
            Some(b'f') => self.literal("false", Kind::Boolean)?,
            _ => return self.syntax("a value expected"),
        };
        Ok(Value { start: offset(start), kind })
    }

    /// Reads an array whose elements `each` reads and writes.
    pub(super) fn array(
        &mut self,
        each: impl FnMut(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.scratch.canonical.push(b'[');
        self.elements(each)?;
        self.scratch.canonical.push(b']');
        Ok(())
    }

    /// Reads an object; `check` is shown each member when its value was read.
    pub(super) fn object(
        &mut self,
        mut check: impl FnMut(&mut Self, Text, Value),
    ) -> Result<(), Stop> {
        let first = self.scratch.members.len();
        self.scratch.canonical.push(b'{');
        let start = self.scratch.canonical.len();
        self.members(|scanner, key| {
            let value = scanner.member(key)?;
            check(scanner, key.text, value);
            Ok(())
        })?;
        if self.sort_members(first) == Sorted::Moved {
            let end = self.scratch.canonical.len();
            self.write_members(first);
            self.scratch.canonical.copy_within(end.., start);
            self.scratch.canonical.truncate(end);
        }
        self.scratch.members.truncate(first);
        self.scratch.canonical.push(b'}');
        Ok(())
    }

    /// Reads the value of a member, writes both, and notes the member for sorting.
    pub(super) fn member(&mut self, key: Key) -> Result<Value, Stop> {
        let start = self.scratch.canonical.len();
        self.write_text(key.text);
        let key_end = self.scratch.canonical.len();
        let value = self.value()?;

        let canonical = &self.scratch.canonical;
        let key_prefix = prefix(&canonical[start + 1..key_end - 1]);
        let member = Member {
            key_prefix,
            start: offset(start),
            key_end: offset(key_end),
            end: offset(canonical.len()),
            at: key.at,
        };
        self.scratch.members.push(member);
        Ok(value)
    }

    /// Sorts the members from `first` on by key, and reports keys that occur twice.
    pub(super) fn sort_members(&mut self, first: usize) -> Sorted {
        let canonical = &self.scratch.canonical;
        let members = &mut self.scratch.members[first..];
        let compare = |a: &Member, b: &Member| {
            let by_prefix = a.key_prefix.cmp(&b.key_prefix);
            by_prefix.then_with(|| a.key(canonical).cmp(b.key(canonical)))
        };
        if members.is_sorted_by(|a, b| compare(a, b).is_lt()) {
            return Sorted::AsTheyCame;
        }
        members.sort_unstable_by(|a, b| compare(a, b).then_with(|| a.at.cmp(&b.at)));

        let has_repeats = members.windows(2).any(|pair| compare(&pair[0], &pair[1]).is_eq());
        if has_repeats {
            self.report_repeated_keys(first);
        }
        Sorted::Moved
    }

    /// Writes once more, in their present order, the members from `first` on.
    pub(super) fn write_members(&mut self, first: usize) {
        for member in &self.scratch.members[first..] {
            self.scratch.canonical.extend_from_within(member.start as usize..member.end as usize);
        }
    }

    #[cold]
    fn report_repeated_keys(&mut self, first: usize) {
        for later in first + 1..self.scratch.members.len() {
            let [a, b] = [self.scratch.members[later - 1], self.scratch.members[later]];
            let key = b.key(&self.scratch.canonical);
            if key == a.key(&self.scratch.canonical) {
                let key = String::from_utf8_lossy(key).into_owned();
                self.problem_below(Some(&key), Code::DuplicateKey, REPEATED_KEY, b.at as usize);
            }
        }
    }

    fn string_value(&mut self) -> Result<Kind, Stop> {
        let start = self.at;
        let text = self.read_string()?;
        if self.report_fault(start) {
            return Ok(Kind::Invalid);
        }
        self.write_text(text);
        Ok(Kind::String(text))
    }

    fn literal(&mut self, word: &'static str, kind: Kind) -> Result<Kind, Stop> {
        if !self.input.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return self.syntax("a value expected");
        }
        self.at += word.len();
        self.scratch.canonical.push(word.as_bytes()[0]);
        Ok(kind)
    }

    fn write_text(&mut self, text: Text) {
        let canonical = &mut self.scratch.canonical;
        canonical.extend_from_slice(text.quoted(self.input, &self.scratch.unescaped));
        *canonical.last_mut().expect("quotes were written just now") = END;
    }
}

/// Whether members had to be sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sorted {
    AsTheyCame,
    Moved,
}

impl Member {
    /// The key without the quote and the 0xFF around it.
    fn key<'a>(&self, canonical: &'a [u8]) -> &'a [u8] {
        &canonical[self.start as usize + 1..self.key_end as usize - 1]
    }
}

/// The first eight bytes of a key, zeros behind a shorter one: they compare as the keys do, or equal.
fn prefix(key: &[u8]) -> u64 {
    match key.first_chunk::<8>() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; 8];
            bytes[..key.len()].copy_from_slice(key);
            u64::from_be_bytes(bytes)
        }
    }
}
