//! How far an import has come.

use std::time::Duration;

use serde::Serialize;

/// A place in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Counted from 1.
    pub(super) line: u64,
    /// Where the line begins, in bytes.
    pub(super) position: u64,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    /// Lines that were looked at, blank ones left out.
    pub(super) events: u64,
    /// Acknowledged by Kafka.
    pub(super) published: u64,
    /// No valid events, or refused by Kafka for good.
    pub(super) refused: u64,
    /// All before it is done with: acknowledged, refused or blank.
    pub(super) next: Place,
}

/// What is printed at the end.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    events: u64,
    valid: u64,
    published: u64,
    refused: u64,
    seconds: f64,
    events_per_second: u64,
    next_line: u64,
}

impl Tally {
    pub(super) fn summary(&self, took: Duration) -> Summary {
        let Self { events, published, refused, next } = *self;
        Summary {
            events,
            valid: events - refused,
            published,
            refused,
            seconds: (took.as_secs_f64() * 1_000.0).round() / 1_000.0,
            events_per_second: per_second(events, took),
            next_line: next.line,
        }
    }
}

/// A rate in whole numbers.
pub(super) fn per_second(count: u64, time: Duration) -> u64 {
    let micros = time.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_whole_seconds() {
        assert_eq!(per_second(3_000, Duration::from_millis(1_500)), 2_000);
        assert_eq!(per_second(0, Duration::ZERO), 0);
    }
}
