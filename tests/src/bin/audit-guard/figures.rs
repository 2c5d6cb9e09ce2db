//! The figures, and the file they are recorded in.

use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::surroundings::Surroundings;

/// Where the figures are, from the top folder.
pub(crate) const PATH: &str = "tests/guard.toml";
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guard.toml");
const HEADER: &str = "# What each stage costs per event: `make guard` compares, `make guard ARGS=--record` records.\n\n";

/// What a stage costs per event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figures {
    /// The stage and the size of the events.
    pub(crate) name: String,
    /// Instructions without those of `sha256`.
    pub(crate) instructions: u64,
    /// Instructions in SHA-256's rounds.
    pub(crate) sha256: u64,
    /// Calls of the allocator.
    pub(crate) allocations: f64,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    pub(crate) surroundings: Surroundings,
    #[serde(rename = "stage")]
    pub(crate) stages: Vec<Figures>,
}

impl Recorded {
    pub(crate) fn load() -> Result<Self> {
        let text = fs::read_to_string(FILE).with_context(|| format!("read {PATH}"))?;
        toml::from_str(&text).with_context(|| format!("read {PATH}"))
    }

    pub(crate) fn save(&self) -> Result<()> {
        let text = format!("{HEADER}{}", toml::to_string(self)?);
        fs::write(FILE, text).with_context(|| format!("write {PATH}"))
    }
}
