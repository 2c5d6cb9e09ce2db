//! What a replay is called.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::stream_name;

/// A name that needs no quoting anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// The name of a replay that was given none.
    pub(super) fn at(begun: DateTime<Utc>) -> Self {
        Self(begun.format("%Y%m%dT%H%M%SZ").to_string())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The replay's stream in the database.
    pub(super) fn stream(&self) -> String {
        stream_name::of_replay(&self.0)
    }
}

impl FromStr for Name {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if (1..=64).contains(&text.len()) && text.chars().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err("not a name: 1 to 64 characters of a-z, A-Z, 0-9, '.', '_' and '-'")
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_no_quoting() {
        for good in ["backfill-2025.01_a", &"x".repeat(64), Name::at(Utc::now()).as_str()] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a'b", "ä", &"x".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }
}
