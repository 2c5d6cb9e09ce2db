//! Properties that hold for every event, with generated ones.
//!
//! The generator starts from a fixed seed, so a failure here is the same on every machine; proptest
//! prints the smallest input that fails.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod content;
mod digest;
mod json;
mod mutations;
mod owned;
mod spelling;
mod syntax;
mod versions;

use proptest::test_runner::{Config, RngSeed};

fn cases(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(0x6175_6469),
        failure_persistence: None,
        ..Config::default()
    }
}
