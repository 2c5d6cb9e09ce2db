//! Strings: borrowed from the input where they have no escapes, else written to the scratch.

use super::scan::{Scanner, Stop};
use super::scratch::Text;
use crate::problem::Code;

impl Scanner<'_, '_> {
    /// Reads a string, its opening quote being next. What makes it unfit for PostgreSQL is left in
    /// `fault`.
    pub(super) fn read_string(&mut self) -> Result<Text, Stop> {
        let start = self.at + 1;
        self.at = start + plain_length(&self.input.as_bytes()[start..]);
        if self.peek() == Some(b'"') {
            let text = Text::plain(start, self.at);
            self.at += 1;
            return Ok(text);
        }
        self.string_with_escapes(start)
    }

    /// Records what is wrong with the string read last, which begins at `offset`, if anything is.
    pub(super) fn report_fault(&mut self, offset: usize) -> bool {
        let Some(code) = self.fault.take() else {
            return false;
        };
        let message = match code {
            Code::NulCharacter => "holds U+0000, which PostgreSQL cannot store",
            _ => "holds half of a surrogate pair, which is no character",
        };
        self.problem(code, message, offset);
        true
    }

    fn string_with_escapes(&mut self, start: usize) -> Result<Text, Stop> {
        // Between quotes here as well: see `Text::quoted`.
        self.scratch.unescaped.push('"');
        let unescaped_start = self.scratch.unescaped.len();
        let mut plain_start = start;
        loop {
            self.scratch.unescaped.push_str(&self.input[plain_start..self.at]);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    let character = self.escape()?;
                    self.fault = self.fault.or(character.err());
                    if let Ok(character) = character {
                        self.scratch.unescaped.push(character);
                    }
                }
                Some(_) => return self.syntax("control characters in strings must be escaped"),
                None => return self.syntax("'\"' expected"),
            }
            plain_start = self.at;
            self.at += plain_length(&self.input.as_bytes()[plain_start..]);
        }
        self.at += 1;
        let text = Text::unescaped(unescaped_start, self.scratch.unescaped.len());
        self.scratch.unescaped.push('"');
        Ok(text)
    }

    /// Reads an escape, its backslash being next; the inner error is one that does not end the scan.
    fn escape(&mut self) -> Result<Result<char, Code>, Stop> {
        self.at += 1;
        let character = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return self.syntax("one of \"\\/bfnrtu expected after '\\'"),
        };
        self.at += 1;
        Ok(Ok(character))
    }

    fn unicode_escape(&mut self) -> Result<Result<char, Code>, Stop> {
        let unit = self.code_unit()?;
        match unit {
            0 => Ok(Err(Code::NulCharacter)),
            0xD800..=0xDBFF => {
                if !self.input.as_bytes()[self.at..].starts_with(b"\\u") {
                    return Ok(Err(Code::LoneSurrogate));
                }
                let before = self.at;
                self.at += 1;
                let low = self.code_unit()?;
                if !(0xDC00..=0xDFFF).contains(&low) {
                    // What follows is an escape of its own.
                    self.at = before;
                    return Ok(Err(Code::LoneSurrogate));
                }
                let code_point = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                Ok(char::from_u32(code_point).ok_or(Code::LoneSurrogate))
            }
            _ => Ok(char::from_u32(unit).ok_or(Code::LoneSurrogate)),
        }
    }

    /// Reads four hexadecimal digits behind a `u`, which is next.
    fn code_unit(&mut self) -> Result<u32, Stop> {
        let mut unit = 0;
        for _ in 0..4 {
            self.at += 1;
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return self.syntax("four hexadecimal digits expected after '\\u'");
            };
            unit = unit * 16 + digit;
        }
        self.at += 1;
        Ok(unit)
    }
}

/// How many bytes come before the first quote, backslash or control character.
fn plain_length(bytes: &[u8]) -> usize {
    // Eight bytes at a time: in `hits` the high bit is set of the first byte that ends the run (and
    // perhaps of later ones, by the borrow of the subtraction).
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;

    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let hits = (below(word, 0x20) | quote | backslash) & HIGH_BITS;
        if hits != 0 {
            return index * 8 + hits.trailing_zeros() as usize / 8;
        }
    }
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let in_tail = tail.iter().position(ends).unwrap_or(tail.len());
    words.len() * 8 + in_tail
}

#[cfg(test)]
mod tests {
    use super::plain_length;

    #[test]
    fn every_byte_at_every_place_ends_a_run_or_does_not() {
        for length in 0..20 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    for filler in [b'a', 0xFF, b'!', b' ', b']'] {
                        let mut bytes = vec![filler; length];
                        bytes[place] = byte;
                        let ends = byte < 0x20 || byte == b'"' || byte == b'\\';
                        let expected = if ends { place } else { length };
                        assert_eq!(plain_length(&bytes), expected, "{bytes:?}");
                    }
                }
            }
        }
    }
}
