//! What is said of many times.

use std::time::Duration;

use anyhow::{Result, ensure};

/// The middle, almost the longest, the longest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantiles {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

impl Quantiles {
    /// Of times in microseconds. A clock that was set back makes no negative time.
    pub(crate) fn of(micros: impl Iterator<Item = i64>) -> Result<Self> {
        let mut sorted: Vec<u64> = micros.map(|time| u64::try_from(time).unwrap_or(0)).collect();
        sorted.sort_unstable();
        ensure!(!sorted.is_empty(), "nothing was measured");
        let at = |percent: usize| Duration::from_micros(sorted[(sorted.len() - 1) * percent / 100]);
        Ok(Self { p50: at(50), p99: at(99), max: at(100) })
    }

    /// In milliseconds.
    pub(crate) fn cells(&self) -> [String; 3] {
        [self.p50, self.p99, self.max].map(|time| time.as_millis().to_string())
    }
}
