//! How long to wait before trying again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LAST: Duration = Duration::from_secs(5);

/// Doubling delays with full jitter, so that consumers that failed together do not come back together.
#[derive(Debug)]
pub struct Backoff {
    ceiling: Duration,
    /// Failures in a row.
    pub attempts: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { ceiling: FIRST, attempts: 0 }
    }
}

impl Backoff {
    /// The next delay: between half the ceiling and the ceiling.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.ceiling.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.ceiling = (self.ceiling * 2).min(LAST);
        self.attempts = self.attempts.saturating_add(1);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_ceiling() {
        let mut backoff = Backoff::default();
        for _ in 0..20 {
            assert!(backoff.next_delay() <= LAST);
        }
        assert!(backoff.next_delay() >= LAST / 2);
        assert_eq!(backoff.attempts, 21);
    }
}
