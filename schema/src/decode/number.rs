//! Numbers: their grammar, their limits, and one spelling for each value.

use super::scan::{Scanner, Stop};
use super::value::Kind;
use crate::problem::Code;

/// Ends a number or a string in the canonical form; UTF-8 never holds this byte.
pub(super) const END: u8 = 0xFF;

impl Scanner<'_, '_> {
    /// Reads a number, its first character being next, and writes its canonical form:
    /// `-`? digits [`e` exponent as four bytes], without zeros at either end of the digits.
    pub(super) fn read_number(&mut self) -> Result<Kind, Stop> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);

        let integer = self.digits()?;
        if integer.len() > 1 && integer[0] == b'0' {
            self.at -= integer.len() - 1;
            return self.syntax("a number must not begin with 0");
        }
        let fraction = if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?
        } else {
            &[]
        };
        let exponent = self.exponent()?;

        let literal = &self.input[start..self.at];
        let limits = self.limits;
        if literal.len() > limits.chars || exponent.unsigned_abs() > limits.exponent.unsigned_abs()
        {
            let message = format!(
                "is a number that PostgreSQL may not give back; at most {} characters and an \
                 exponent from -{e} to {e} are stored",
                limits.chars,
                e = limits.exponent,
            );
            self.problem(Code::NumberOutOfRange, &message, start);
            return Ok(Kind::Invalid);
        }
        write_canonical(&mut self.scratch.canonical, negative, integer, fraction, exponent);
        let is_integer = self.at == start + usize::from(negative) + integer.len();
        Ok(if is_integer { Kind::Integer } else { Kind::Decimal })
    }
}

impl<'v> Scanner<'v, '_> {
    /// At least one digit.
    fn digits(&mut self) -> Result<&'v [u8], Stop> {
        let rest = &self.input.as_bytes()[self.at..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += length;
        if length == 0 { self.syntax("a digit expected") } else { Ok(&rest[..length]) }
    }

    /// The exponent's value, zero if there is none, saturating.
    fn exponent(&mut self) -> Result<i32, Stop> {
        if !matches!(self.peek(), Some(b'e' | b'E')) {
            return Ok(0);
        }
        self.at += 1;
        let sign = self.peek().filter(|byte| matches!(byte, b'+' | b'-'));
        self.at += usize::from(sign.is_some());
        let magnitude = self.digits()?.iter().fold(0_i32, |number, digit| {
            number.saturating_mul(10).saturating_add(i32::from(digit - b'0'))
        });
        Ok(if sign == Some(b'-') { -magnitude } else { magnitude })
    }
}

fn write_canonical(
    canonical: &mut Vec<u8>,
    negative: bool,
    integer: &[u8],
    fraction: &[u8],
    exponent: i32,
) {
    let fraction = without_zeros_behind(fraction);
    let mut significant = integer;
    if fraction.is_empty() {
        significant = without_zeros_behind(integer);
    }
    let length =
        |digits: &[u8]| i32::try_from(digits.len()).expect("a literal within the limits is short");
    let exponent = exponent + length(integer) - length(significant) - length(fraction);

    // By the grammar an integer that begins with zero is nothing else.
    let (integer, fraction) = match significant {
        b"0" | b"" => (&b""[..], without_zeros_before(fraction)),
        _ => (significant, fraction),
    };
    if integer.is_empty() && fraction.is_empty() {
        canonical.extend_from_slice(&[b'0', END]);
        return;
    }
    if negative {
        canonical.push(b'-');
    }
    canonical.extend_from_slice(integer);
    canonical.extend_from_slice(fraction);
    if exponent != 0 {
        canonical.push(b'e');
        canonical.extend_from_slice(&exponent.to_be_bytes());
    }
    canonical.push(END);
}

fn without_zeros_behind(mut digits: &[u8]) -> &[u8] {
    while let [rest @ .., b'0'] = digits {
        digits = rest;
    }
    digits
}

fn without_zeros_before(mut digits: &[u8]) -> &[u8] {
    while let [b'0', rest @ ..] = digits {
        digits = rest;
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::scan::{NumberLimits, Scanner};
    use super::super::scratch::Scratch;
    use super::*;

    fn canonical(literal: &str) -> Vec<u8> {
        let mut scratch = Scratch::default();
        let mut scanner = Scanner::new(literal, NumberLimits::EVENT, &mut scratch);
        assert!(matches!(scanner.read_number(), Ok(Kind::Integer | Kind::Decimal)), "{literal}");
        scanner.end().unwrap();
        scratch.canonical
    }

    #[test]
    fn each_value_has_one_spelling() {
        for spellings in [
            &["0", "-0", "0.0", "-0.00", "0e5", "0E-5", "0.000e+300"][..],
            &["1", "1.0", "10e-1", "0.1e1", "1e0", "1E+0", "100.00e-2"],
            &["-15", "-1.5e1", "-150e-1", "-0.0015e4"],
            &["1000", "1e3", "1.000e3", "0.1e+4"],
            &["0.25", "25e-2", "2.5e-1", "0.2500"],
            &["9223372036854775807", "9223372036854775807.0"],
        ] {
            for spelling in spellings {
                assert_eq!(canonical(spelling), canonical(spellings[0]), "{spelling}");
            }
        }
    }

    #[test]
    fn different_values_differ() {
        let literals = ["0", "1", "-1", "10", "0.1", "1e300", "1e-300", "101", "11", "1.01"];
        for (index, one) in literals.iter().enumerate() {
            for other in &literals[..index] {
                assert_ne!(canonical(one), canonical(other), "{one} {other}");
            }
        }
        // Beyond what a double can tell apart.
        assert_ne!(canonical("9007199254740993"), canonical("9007199254740992"));
        assert_ne!(canonical("0.10000000000000000001"), canonical("0.1"));
    }

    #[test]
    fn the_canonical_form_is_pinned() {
        assert_eq!(canonical("0"), b"0\xFF");
        assert_eq!(canonical("-42"), b"-42\xFF");
        assert_eq!(canonical("1200"), b"12e\x00\x00\x00\x02\xFF");
        assert_eq!(canonical("0.5"), b"5e\xFF\xFF\xFF\xFF\xFF");
    }

    proptest! {
        /// All digits in a row, less the zeros at both ends.
        #[test]
        fn the_form_is_that_of_the_digits_in_a_row(
            negative: bool,
            integer in "0|[1-9][0-9]{0,5}0{0,4}",
            fraction in proptest::option::of("0{0,4}[0-9]{1,5}0{0,4}"),
            exponent in proptest::option::of(-308..=308_i32),
        ) {
            let mut literal = format!("{}{integer}", if negative { "-" } else { "" });
            let fraction = fraction.unwrap_or_default();
            if !fraction.is_empty() {
                literal.push_str(&format!(".{fraction}"));
            }
            if let Some(exponent) = exponent {
                literal.push_str(&format!("e{exponent}"));
            }

            let row = format!("{integer}{fraction}");
            let digits = row.trim_end_matches('0');
            let places = i32::try_from(fraction.len()).unwrap();
            let trailing = i32::try_from(row.len() - digits.len()).unwrap();
            let exponent = exponent.unwrap_or(0) - places + trailing;
            let digits = digits.trim_start_matches('0');
            let mut expected = Vec::new();
            if digits.is_empty() {
                expected.push(b'0');
            } else {
                expected.extend(negative.then_some(b'-'));
                expected.extend(digits.bytes());
                if exponent != 0 {
                    expected.push(b'e');
                    expected.extend(exponent.to_be_bytes());
                }
            }
            expected.push(END);
            prop_assert_eq!(canonical(&literal), expected, "{}", literal);
        }
    }
}
