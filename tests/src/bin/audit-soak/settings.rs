//! What can be asked of it, by environment variables: `make` passes them on.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{environment::number, soak::Plan};

pub(crate) struct Settings {
    /// `EVENTS`, `FAULTS` and `SEED`: the first round. Without a seed it is another one each time.
    pub(crate) first: Plan,
    /// `HOURS`: after so long no other round begins.
    pub(crate) time: Duration,
}

impl Settings {
    pub(crate) fn from_env() -> Result<Self> {
        let first = Plan {
            events: number("EVENTS")?.unwrap_or(1_000_000),
            faults: number("FAULTS")?.unwrap_or(200),
            seed: number("SEED")?.unwrap_or_else(|| fastrand::u64(..)),
        };
        ensure!(
            first.events > first.faults,
            "EVENTS must be more than FAULTS: some come with each"
        );
        let hours: u32 = number("HOURS")?.unwrap_or(0);
        Ok(Self { first, time: Duration::from_secs(3600) * hours })
    }
}
