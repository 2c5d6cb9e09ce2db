//! No more than so many records a second.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// What may be made up for after a pause: waits are never exact.
const BURST: Duration = Duration::from_millis(100);

/// A limit of records a second, evenly over time.
#[derive(Debug)]
pub struct Rate {
    each: Duration,
    due: Instant,
}

impl Rate {
    /// So many records a second.
    pub fn new(per_second: NonZeroU32) -> Self {
        Self { each: Duration::from_secs(1) / per_second.get(), due: Instant::now() }
    }

    /// Counts a record that was received now.
    pub fn received(&mut self, now: Instant) {
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        self.due = self.due.max(earliest) + self.each;
    }

    /// How long the next record has to wait.
    pub fn wait(&self, now: Instant) -> Duration {
        self.due.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes records as soon as they may be taken, looking every `step`; gives how many came in `time`.
    fn received(per_second: u32, time: Duration, step: Duration) -> u32 {
        let mut rate = Rate::new(per_second.try_into().unwrap());
        let begun = rate.due;
        let mut now = begun;
        let mut count = 0;
        while now < begun + time {
            while rate.wait(now).is_zero() {
                rate.received(now);
                count += 1;
            }
            now += step;
        }
        count
    }

    #[test]
    fn as_many_come_as_may_however_coarse_the_waits_are() {
        let time = Duration::from_secs(10);
        for step in [1, 20, 90].map(Duration::from_millis) {
            for per_second in [1, 7, 1_000, 50_000] {
                let expected = per_second * 10;
                let found = received(per_second, time, step);
                let slack = per_second / 5 + 1;
                assert!(found.abs_diff(expected) <= slack, "{found} of {expected}, {step:?}");
            }
        }
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut rate = Rate::new(NonZeroU32::MIN.saturating_add(99));
        let later = rate.due + Duration::from_secs(60);
        let mut burst = 0;
        while rate.wait(later).is_zero() {
            rate.received(later);
            burst += 1;
        }
        assert!(burst <= 11, "{burst}");
    }
}
