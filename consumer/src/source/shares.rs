//! Which lane has which partition.

use std::collections::BTreeMap;

/// The lanes' shares of the partitions, as equal as can be.
///
/// A partition cannot go by its number alone: a group deals partitions out in turn, so that one of four members has
/// 0, 4, 8 and so on, and of its two lanes `partition % 2` would leave one without work.
#[derive(Debug)]
pub(super) struct Shares {
    lanes: usize,
    given: BTreeMap<i32, usize>,
}

impl Shares {
    /// Of so many lanes, at least one.
    pub(super) fn new(lanes: usize) -> Self {
        Self { lanes, given: BTreeMap::new() }
    }

    /// The partition's lane, if it has one.
    pub(super) fn lane(&self, partition: i32) -> Option<usize> {
        self.given.get(&partition).copied()
    }

    /// Gives the partition to the lane that has the fewest, unless it has its lane already.
    pub(super) fn give(&mut self, partition: i32) {
        let has = |lane: usize| self.given.values().filter(|given| **given == lane).count();
        let fewest = (0..self.lanes).min_by_key(|lane| has(*lane)).unwrap_or_default();
        self.given.entry(partition).or_insert(fewest);
    }

    /// Takes the partition from its lane.
    pub(super) fn take(&mut self, partition: i32) {
        self.given.remove(&partition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(shares: &Shares) -> Vec<usize> {
        let of = |lane| shares.given.values().filter(|given| **given == lane).count();
        (0..shares.lanes).map(of).collect()
    }

    #[test]
    fn whatever_partitions_a_member_has_its_lanes_have_equal_shares() {
        for every in 1..=8 {
            let mut shares = Shares::new(3);
            (0..9).for_each(|n| shares.give(n * every));
            assert_eq!(counts(&shares), [3, 3, 3], "every {every}");
        }
    }

    #[test]
    fn a_partition_keeps_its_lane_until_it_is_taken() {
        let mut shares = Shares::new(2);
        (0..4).for_each(|partition| shares.give(partition));
        assert_eq!([0, 1, 2, 3].map(|partition| shares.lane(partition)), [0, 1, 0, 1].map(Some));
        shares.take(1);
        assert_eq!(shares.lane(1), None);
        shares.give(0);
        assert_eq!(shares.lane(0), Some(0), "though the other lane has fewer");
        shares.give(4);
        assert_eq!(shares.lane(4), Some(1));
    }
}
