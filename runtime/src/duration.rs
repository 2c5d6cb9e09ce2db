//! Durations as people write them in options: `200ms`, `5s`, `10m`, `2h30m`, `30d`.

use std::time::Duration;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a duration: write a whole number and a unit (ms, s, m, h, d), such as 200ms, 5s or 30d"
)]
pub struct InvalidDuration;

/// Parses a sum of whole numbers with units, largest range about 500 million years.
///
/// A bare number is refused: whether it means seconds or milliseconds is anyone's guess.
///
/// # Errors
/// [`InvalidDuration`] for anything else, overflow included.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(InvalidDuration);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(InvalidDuration)?;
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| InvalidDuration)?;
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        total = total.checked_add(of(number, unit.trim())?).ok_or(InvalidDuration)?;
        rest = after;
    }
    Ok(total)
}

fn of(number: u64, unit: &str) -> Result<Duration, InvalidDuration> {
    let seconds = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(InvalidDuration),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or(InvalidDuration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_sums() {
        for (text, expected) in [
            ("200ms", Duration::from_millis(200)),
            ("5s", Duration::from_secs(5)),
            (" 10m ", Duration::from_secs(600)),
            ("2h30m", Duration::from_secs(9_000)),
            ("30d", Duration::from_secs(2_592_000)),
            ("1s 500ms", Duration::from_millis(1_500)),
            ("0s", Duration::ZERO),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in
            ["", "5", "s", "-5s", "5 weeks", "1.5s", "99999999999999999999s", "999999999999999999d"]
        {
            assert_eq!(parse(text), Err(InvalidDuration), "{text}");
        }
    }
}
