//! A bound on label values that come from events.

use std::collections::HashSet;

/// What stands for every value past the bound.
pub(super) const OTHER: &str = "_other";

/// Distinct values one label may have, and distinct series one metric may have.
pub(super) const MAX_VALUES: usize = 2_000;

/// The values one label has had so far.
#[derive(Debug, Default)]
pub(super) struct Cap {
    seen: HashSet<Box<str>>,
}

impl Cap {
    /// The value itself while there is room for it, else [`OTHER`].
    pub(super) fn admit<'a>(&mut self, value: &'a str) -> &'a str {
        if self.seen.contains(value) {
            value
        } else if self.seen.len() < MAX_VALUES {
            self.seen.insert(value.into());
            value
        } else {
            OTHER
        }
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
}
