//! COPY tuples that leave large values where they are: in the raw records, which are kept anyway until the commit.

use std::ops::Range;

use super::{Batch, Row};

/// A value below this many bytes is copied: noting where it is would cost as much.
const LARGE: usize = 64;

/// A large value of a tuple, which lies in the row's raw record.
#[derive(Debug, Clone)]
pub struct Lent {
    /// Where in [`Batch::tuples`] it belongs: before the byte at this position.
    at: usize,
    /// Its part of the record's value.
    part: Range<usize>,
}

/// Appends one tuple to a batch's.
pub struct TupleWriter<'a> {
    tuples: &'a mut Vec<u8>,
    lent: &'a mut Vec<Lent>,
    /// The record's value, from which values may be lent.
    record: &'a [u8],
}

impl<'a> TupleWriter<'a> {
    /// A writer for one tuple, whose large values may lie in the record's value.
    pub fn new(tuples: &'a mut Vec<u8>, lent: &'a mut Vec<Lent>, record: &'a [u8]) -> Self {
        Self { tuples, lent, record }
    }

    /// Appends some bytes, by reference if there are many and the record has them.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let lent = if bytes.len() < LARGE { None } else { part_of(self.record, bytes) };
        match lent {
            Some(part) => self.lent.push(Lent { at: self.tuples.len(), part }),
            None => self.tuples.extend_from_slice(bytes),
        }
    }
}

/// Where in `whole` the slice `part` lies, if it was borrowed from there.
fn part_of(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start + part.len();
    (end <= whole.len()).then_some(start..end)
}

impl Batch {
    /// The tuple of a row, in parts that follow each other.
    pub fn tuple(&self, row: &Row) -> impl Iterator<Item = &[u8]> {
        let record = self.raw(row.place).value().unwrap_or_default();
        let lent = &self.lent[row.lent.clone()];
        let starts = [row.tuple.start].into_iter().chain(lent.iter().map(|lent| lent.at));
        let ends = lent.iter().map(|lent| lent.at).chain([row.tuple.end]);
        let values = lent.iter().map(move |lent| &record[lent.part.clone()]).chain([&[][..]]);
        starts
            .zip(ends)
            .zip(values)
            .flat_map(|((start, end), value)| [&self.tuples[start..end], value])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_large_value_of_the_record_is_lent() {
        let record = vec![b'r'; 1000];
        let elsewhere = vec![b'e'; 1000];
        let (mut tuples, mut lent) = (vec![b'-'], Vec::new());
        let mut writer = TupleWriter::new(&mut tuples, &mut lent, &record);
        writer.write(&record[10..10 + LARGE - 1]);
        writer.write(&record[900..]);
        writer.write(&elsewhere);
        assert_eq!(tuples.len(), 1 + LARGE - 1 + 1000);
        let [lent] = &lent[..] else { panic!("{lent:?}") };
        assert_eq!((lent.at, lent.part.clone()), (1 + LARGE - 1, 900..1000));
    }

    #[test]
    fn a_part_is_found_by_its_place_and_not_by_its_content() {
        let twice = b"samesame".to_vec();
        let (whole, behind) = twice.split_at(4);
        assert_eq!(part_of(whole, &whole[1..3]), Some(1..3));
        assert_eq!(part_of(whole, whole), Some(0..4));
        assert_eq!(part_of(whole, behind), None);
        assert_eq!(part_of(behind, whole), None);
        assert_eq!(part_of(&twice[..5], behind), None, "it ends outside");
    }
}
