//! What can be asked of the demo, by environment variables: `make` passes them on.

use std::env;

use anyhow::{Result, bail};
use audit_tests::environment::number;

pub(crate) struct Settings {
    /// `EVENTS`: how many are published through the library.
    pub(crate) events: usize,
    /// `SEED`: what they are made from.
    pub(crate) seed: u64,
    /// `KEEP`: whether all of it goes on running afterwards.
    pub(crate) keep: bool,
}

impl Settings {
    /// Events that are published over HTTP.
    pub(crate) const HTTP_EVENTS: usize = 500;

    pub(crate) fn from_env() -> Result<Self> {
        let settings = Self {
            events: number("EVENTS")?.unwrap_or(100_000),
            seed: number("SEED")?.unwrap_or(42),
            keep: env::var("KEEP").is_ok_and(|keep| !matches!(keep.as_str(), "" | "0" | "no")),
        };
        if !(1_000..=10_000_000).contains(&settings.events) {
            bail!("EVENTS must be from 1000 to 10000000");
        }
        Ok(settings)
    }
}
