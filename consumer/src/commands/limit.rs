//! How many rows a result may have.

use std::fmt;
use std::str::FromStr;

/// A number of rows, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit(Option<u32>);

impl Limit {
    /// As LIMIT takes it: NULL is no limit.
    pub(super) fn rows(self) -> Option<i64> {
        self.0.map(i64::from)
    }

    /// As a number.
    pub(super) fn count(self) -> usize {
        self.0.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(usize::MAX)
    }
}

impl FromStr for Limit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(rows @ 1..) => Ok(Self(Some(rows))),
            _ if text == "all" => Ok(Self(None)),
            _ => Err("write a number from 1 to 4294967295, or all"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(rows) => write!(f, "at most {rows}"),
            None => f.write_str("all"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_all() {
        assert_eq!("7".parse(), Ok(Limit(Some(7))));
        assert_eq!("all".parse(), Ok(Limit(None)));
        for text in ["0", "-1", "", "ALL", "4294967296", "1.5"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }
}
