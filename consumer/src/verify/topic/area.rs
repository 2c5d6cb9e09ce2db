//! Which offsets of the topic were read.

use std::collections::BTreeMap;
use std::ops::Range;

use audit_schema::version::Version;

/// The offsets that were read, by partition.
#[derive(Debug, Default)]
pub struct Area(BTreeMap<i32, Extent>);

/// The offsets of a partition.
#[derive(Debug, Default)]
pub(super) struct Extent {
    /// What was read and is still there, in ascending order.
    pub(super) read: Vec<Range<i64>>,
    /// What streams have accounted for when the name had another topic: nothing can be said of a record in here.
    pub(super) former: Vec<Range<i64>>,
}

impl Extent {
    pub(super) fn has(&self, offset: i64) -> bool {
        let within = |ranges: &[Range<i64>]| ranges.iter().any(|range| range.contains(&offset));
        within(&self.read) && !within(&self.former)
    }
}

impl Area {
    pub(super) fn add(&mut self, partition: i32, extent: Extent) {
        self.0.insert(partition, extent);
    }

    /// Whether a record of the topic with this version must have been read.
    pub(super) fn has(&self, version: Version) -> bool {
        self.0.get(&version.partition).is_some_and(|extent| extent.has(version.offset))
    }

    /// Partition, first and last offset of each part that was read.
    pub fn ranges(&self) -> impl Iterator<Item = (i32, i64, i64)> {
        self.0.iter().flat_map(|(partition, extent)| {
            extent.read.iter().map(|range| (*partition, range.start, range.end - 1))
        })
    }
}

/// The ranges without what they share, in ascending order, and none of them empty.
pub(super) fn union(mut ranges: Vec<Range<i64>>) -> Vec<Range<i64>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    let mut union: Vec<Range<i64>> = Vec::new();
    for range in ranges {
        match union.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => union.push(range),
        }
    }
    union
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    #[test]
    fn ranges_that_meet_become_one() {
        assert_eq!(
            union(vec![5..9, 0..3, 3..4, 6..7, 9..9, Range { start: 20, end: 10 }]),
            [0..4, 5..9]
        );
    }

    #[test]
    fn nothing_is_said_of_a_former_topic() {
        let extent = Extent { read: vec![0..10, 20..30], former: iter::once(5..25).collect() };
        let spoken_of: Vec<i64> = (0..40).filter(|offset| extent.has(*offset)).collect();
        assert_eq!(spoken_of, (0..5).chain(25..30).collect::<Vec<_>>());
    }
}
