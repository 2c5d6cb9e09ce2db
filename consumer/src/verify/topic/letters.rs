//! Dead letters beside the records they are of, both in the order of the log.

use super::super::letters::{Letter, SortedLetters};

/// Gives dead letters in the order of the log.
pub(super) struct Cursor {
    letters: SortedLetters,
    next: Option<Letter>,
}

impl Cursor {
    pub(super) fn new(letters: SortedLetters) -> anyhow::Result<Self> {
        let mut cursor = Self { letters, next: None };
        cursor.advance()?;
        Ok(cursor)
    }

    /// The next one, if it is of a record before this one.
    pub(super) fn before(&mut self, partition: i32, offset: i64) -> anyhow::Result<Option<Letter>> {
        self.take(|letter| (letter.partition, letter.offset) < (partition, offset))
    }

    /// The next one, if it is of a record with this place.
    pub(super) fn at(&mut self, partition: i32, offset: i64) -> anyhow::Result<Option<Letter>> {
        self.take(|letter| (letter.partition, letter.offset) == (partition, offset))
    }

    fn take(&mut self, wanted: impl Fn(&Letter) -> bool) -> anyhow::Result<Option<Letter>> {
        if !self.next.as_ref().is_some_and(wanted) {
            return Ok(None);
        }
        let letter = self.next;
        self.advance()?;
        Ok(letter)
    }

    fn advance(&mut self) -> anyhow::Result<()> {
        self.next = self.letters.next().transpose()?.map(|bytes| Letter::from_bytes(&bytes));
        Ok(())
    }
}
