//! What can be asked of the suite.

use clap::{Args, ValueEnum};

use super::case::Case;

/// The consumer beside raw COPY, whatever the events are and whatever the table holds: one table of ratios.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Events of each case; large ones are fewer [default: 100000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(20_000..=10_000_000))]
    events: Option<u32>,

    /// How often each case is measured; the medians are shown [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: Option<u32>,

    /// Only these
    #[arg(long, value_delimiter = ',', value_name = "NAME,..")]
    only: Vec<Case>,

    /// Writer connections of the consumer, and of the raw COPY it is compared with
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) lanes: u16,

    /// Rows that are in the table already, in the case of a full one [default: 10000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    rows: Option<u32>,

    /// What the events are made from
    #[arg(long, default_value_t = 42, value_name = "N")]
    pub(super) seed: u64,

    /// 30,000 events, 500,000 rows and one round, to see whether it works: the figures mean little
    #[arg(long)]
    quick: bool,
}

impl Settings {
    pub(super) fn events(&self) -> u32 {
        self.events.unwrap_or(if self.quick { 30_000 } else { 100_000 })
    }

    pub(super) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 })
    }

    pub(super) fn rows(&self) -> u32 {
        self.rows.unwrap_or(if self.quick { 500_000 } else { 10_000_000 })
    }

    /// The chosen cases in the order of the report.
    pub(super) fn cases(&self) -> Vec<Case> {
        let chosen = |case: &Case| self.only.is_empty() || self.only.contains(case);
        Case::value_variants().iter().copied().filter(chosen).collect()
    }
}
