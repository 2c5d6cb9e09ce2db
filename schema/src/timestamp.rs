//! RFC 3339 to microseconds, without allocation.

/// Go's zero time, `0001-01-01T00:00:00Z`, in microseconds since the Unix epoch.
pub(crate) const ZERO_TIME_MICROS: i64 = -62_135_596_800_000_000;

/// Microseconds since the Unix epoch, truncated toward the past; `None` unless RFC 3339.
///
/// Fractions may have any number of digits. Leap seconds are refused, as by Go: neither Go nor
/// PostgreSQL can hold them.
pub(crate) fn parse_rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (clock, rest) = bytes.split_at_checked(19)?;
    let separators = [clock[4], clock[7], clock[10].to_ascii_uppercase(), clock[13], clock[16]];
    if separators != *b"--T::" {
        return None;
    }
    let (year, month, day) = (digits(&clock[..4])?, digits(&clock[5..7])?, digits(&clock[8..10])?);
    let (hour, minute, second) =
        (digits(&clock[11..13])?, digits(&clock[14..16])?, digits(&clock[17..])?);
    if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }

    let (micros, zone) = fraction(rest)?;
    let seconds = days_from_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds - offset_seconds(zone)?) * 1_000_000 + micros)
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
    })
}

/// The microseconds of an optional fraction, and what follows it.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = rest.split_first() else {
        return Some((0, rest));
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, zone) = rest.split_at(length);
    if fraction.is_empty() {
        return None;
    }
    let kept = &fraction[..length.min(6)];
    let scale = (kept.len()..6).fold(1, |scale, _| scale * 10);
    Some((digits(kept)? * scale, zone))
}

fn offset_seconds(zone: &[u8]) -> Option<i64> {
    match *zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[h1, h2])?, digits(&[m1, m2])?);
            let seconds = hours * 3600 + minutes * 60;
            let signed = if sign == b'-' { -seconds } else { seconds };
            (hours <= 23 && minutes <= 59).then_some(signed)
        }
        _ => None,
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, by Howard Hinnant's
/// `days_from_civil`: years begin in March, so that the leap day is a year's last.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Days, NaiveDate};

    use super::*;

    #[test]
    fn known_times() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("0001-01-01T00:00:00Z", ZERO_TIME_MICROS),
            ("2025-01-15T10:30:00.123456789Z", 1_736_937_000_123_456),
            ("2025-01-15T10:30:00.1Z", 1_736_937_000_100_000),
            ("2025-01-15T12:30:00+02:00", 1_736_937_000_000_000),
            ("2025-01-15t05:00:00.000000-05:30", 1_736_937_000_000_000),
            ("1969-12-31T23:59:59.9999999Z", -1),
            ("2024-02-29T00:00:00z", 1_709_164_800_000_000),
        ] {
            assert_eq!(parse_rfc3339(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        for text in [
            "",
            "2025-01-15",
            "2025-01-15T10:30:00",
            "2025-01-15 10:30:00Z",
            "2025-01-15T10:30Z",
            "2025-13-15T10:30:00Z",
            "2025-00-15T10:30:00Z",
            "2025-02-29T10:30:00Z",
            "1900-02-29T10:30:00Z",
            "2025-01-00T10:30:00Z",
            "2025-01-15T24:00:00Z",
            "2025-01-15T10:60:00Z",
            "2025-01-15T10:30:60Z",
            "2025-01-15T10:30:00.Z",
            "2025-01-15T10:30:00,5Z",
            "2025-01-15T10:30:00+0200",
            "2025-01-15T10:30:00+24:00",
            "2025-01-15T10:30:00+02:60",
            "2025-01-15T10:30:00ZZ",
            "2025-01-15T10:30:00-05:30Z",
            "2025-01-15T10:30:00é",
            "+2025-01-15T10:30:00Z",
            "20２5-01-15T10:30:00Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_the_calendar_agrees_with_chrono() {
        let mut day = NaiveDate::from_ymd_opt(0, 1, 1).unwrap();
        while day < NaiveDate::from_ymd_opt(2500, 1, 1).unwrap() {
            let text = format!("{}T23:59:59.654321+01:00", day.format("%Y-%m-%d"));
            let expected = DateTime::parse_from_rfc3339(&text).unwrap().timestamp_micros();
            assert_eq!(parse_rfc3339(&text), Some(expected), "{text}");
            day = day + Days::new(17);
        }
    }
}
