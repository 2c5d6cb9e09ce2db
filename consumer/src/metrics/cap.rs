//! Bounds on label values that come from events.

use std::collections::HashSet;

/// What stands for every value past a bound.
pub(super) const OTHER: &str = "_other";

/// Distinct values one label may have, and distinct series one metric may have.
pub(super) const MAX_VALUES: usize = 2_000;

/// A longer value counts as past the bound, so that values are bounded in memory as well. The longest workflow name,
/// 255 characters of 4 bytes, is shorter.
const MAX_BYTES: usize = 1_024;

/// The values one label has had so far.
#[derive(Debug, Default)]
pub(super) struct Cap(HashSet<Box<str>>);

impl Cap {
    /// The value itself while there is room for it, else [`OTHER`].
    pub(super) fn admit<'a>(&mut self, value: &'a str) -> &'a str {
        if self.0.contains(value) {
            value
        } else if value.len() <= MAX_BYTES && self.0.len() < MAX_VALUES {
            self.0.insert(value.into());
            value
        } else {
            OTHER
        }
    }
}

/// The series one metric has had so far, each by its label values.
#[derive(Debug)]
pub(super) struct SeriesCap<const LABELS: usize>(HashSet<[Box<str>; LABELS]>);

impl<const LABELS: usize> SeriesCap<LABELS> {
    /// Whether there is room for the series.
    pub(super) fn admits(&mut self, labels: [&str; LABELS]) -> bool {
        let labels = labels.map(Box::from);
        self.0.contains(&labels) || self.0.len() < MAX_VALUES && self.0.insert(labels)
    }
}

impl<const LABELS: usize> Default for SeriesCap<LABELS> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_past_the_bound_become_other() {
        let mut cap = Cap::default();
        let values: Vec<String> = (0..MAX_VALUES + 1).map(|n| n.to_string()).collect();
        assert!(values[..MAX_VALUES].iter().all(|value| cap.admit(value) == value));
        assert_eq!(cap.admit(&values[MAX_VALUES]), OTHER);
        assert_eq!(cap.admit(&values[0]), values[0]);
    }

    #[test]
    fn long_values_become_other() {
        let mut cap = Cap::default();
        for (value, admitted) in [(MAX_BYTES, true), (MAX_BYTES + 1, false), (1 << 20, false)] {
            let value = "x".repeat(value);
            assert_eq!(cap.admit(&value) == value, admitted, "{}", value.len());
        }
    }

    #[test]
    fn a_series_is_counted_once() {
        let mut cap = SeriesCap::default();
        let values: Vec<String> = (0..MAX_VALUES + 1).map(|n| n.to_string()).collect();
        for _ in 0..2 {
            assert!(values[..MAX_VALUES].iter().all(|value| cap.admits([value, "failed"])));
        }
        assert!(!cap.admits([&values[MAX_VALUES], "failed"]));
    }
}
