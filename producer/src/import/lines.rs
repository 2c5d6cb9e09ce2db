//! The lines of a file, none of which can be larger in memory than an event may be.

use std::io::{self, BufRead, Read};

use audit_schema::topic::MAX_EVENT_BYTES;

const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// What is read of one line before it is known to be too long: the longest event and its line end.
const LONGEST: usize = MAX_EVENT_BYTES + b"\r\n".len();

/// One line after the other, without line ends, counted from 1.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// The number of the line that was read last.
    number: u64,
    /// How many bytes were read.
    position: u64,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: u64,
    /// Where the next line begins, in bytes.
    pub(super) end: u64,
    /// The line, if it is not too long for an event.
    pub(super) text: Option<&'a [u8]>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), number: 0, position: 0 }
    }

    /// Reads past all lines before the one of this number. Returns how many lines there were, which is less than were
    /// to be skipped when the input ends before.
    pub(super) fn skip_to(&mut self, number: u64) -> io::Result<u64> {
        while self.number + 1 < number {
            let skipped = self.input.skip_until(b'\n')?;
            if skipped == 0 {
                break;
            }
            self.number += 1;
            self.position += skipped as u64;
        }
        Ok(self.number)
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let limit = if self.number == 0 { LONGEST + BYTE_ORDER_MARK.len() } else { LONGEST };
        let mut read =
            self.input.by_ref().take(limit as u64).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        let whole = self.buffer.ends_with(b"\n") || read < limit;
        if !whole {
            read += self.input.skip_until(b'\n')?;
        }
        let text = trimmed(&self.buffer, self.number == 0);
        let text = (whole && text.len() <= MAX_EVENT_BYTES).then_some(text);
        self.number += 1;
        self.position += read as u64;
        Ok(Some(Line { number: self.number, end: self.position, text }))
    }
}

fn trimmed(line: &[u8], first: bool) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if first { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    /// Every line as text (`None` for one that is too long) with the place where it ends.
    fn read(input: impl Read) -> Vec<(u64, u64, Option<String>)> {
        // A small buffer, so that lines cross its end.
        let mut lines = Lines::new(BufReader::with_capacity(7, input));
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            let text = line.text.map(|text| String::from_utf8(text.to_vec()).unwrap());
            all.push((line.number, line.end, text));
        }
        all
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn line_ends_of_every_kind() {
        assert_eq!(
            read(Cursor::new("a\nbb\r\n\n \r\nlast line without an end")),
            [
                (1, 2, some("a")),
                (2, 6, some("bb")),
                (3, 7, some("")),
                (4, 10, some(" ")),
                (5, 34, some("last line without an end")),
            ]
        );
        assert_eq!(read(Cursor::new("")), []);
    }

    #[test]
    fn a_byte_order_mark_counts_at_the_start_only() {
        let lines = read(Cursor::new("\u{FEFF}a\n\u{FEFF}b\n"));
        assert_eq!(lines, [(1, 5, some("a")), (2, 10, some("\u{FEFF}b"))]);
    }

    #[test]
    fn the_longest_line_is_whole_whatever_surrounds_it() {
        let longest = "x".repeat(MAX_EVENT_BYTES);
        for (before, after) in [("", ""), ("", "\n"), ("", "\r\n"), ("\u{FEFF}", "\r\n")] {
            let lines = read(Cursor::new(format!("{before}{longest}{after}")));
            assert_eq!(lines.len(), 1);
            assert_eq!(lines[0].2.as_deref(), Some(longest.as_str()), "{before:?} {after:?}");
            let lines = read(Cursor::new(format!("{before}x{longest}{after}{after}")));
            assert_eq!(lines[0].2, None, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_huge_line_takes_little_memory_and_the_next_one_is_read() {
        let huge = 64 * 1024 * 1024;
        let input = io::repeat(b'x').take(huge).chain(Cursor::new("\nnext\n"));
        let mut lines = Lines::new(BufReader::new(input));
        assert_eq!(lines.next().unwrap(), Some(Line { number: 1, end: huge + 1, text: None }));
        let next = Line { number: 2, end: huge + 6, text: Some(b"next") };
        assert_eq!(lines.next().unwrap(), Some(next));
        assert!(lines.buffer.capacity() <= 4 * MAX_EVENT_BYTES, "{}", lines.buffer.capacity());
    }

    #[test]
    fn lines_are_skipped_up_to_a_number() {
        let mut lines = Lines::new(Cursor::new("\u{FEFF}a\nb\nc"));
        assert_eq!(lines.skip_to(3).unwrap(), 2);
        assert_eq!(lines.next().unwrap(), Some(Line { number: 3, end: 8, text: Some(b"c") }));
        let mut lines = Lines::new(Cursor::new("a\nb\nc"));
        assert_eq!(lines.skip_to(4).unwrap(), 3);
        assert_eq!(lines.next().unwrap(), None);
        assert_eq!(Lines::new(Cursor::new("a\n")).skip_to(9).unwrap(), 1);
    }
}
