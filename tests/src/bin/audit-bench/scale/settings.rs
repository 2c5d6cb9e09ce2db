//! What can be asked of the suite.

use clap::{Args, ValueEnum};

/// Several consumers, a backlog under live traffic, a cold start, and the latency of a steady stream.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Only these
    #[arg(long, value_delimiter = ',', value_name = "PART,..")]
    only: Vec<Part>,

    /// Events that wait in a topic [default: 2000000 to catch up with, 300000 for several consumers and a cold start]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(30_000..=10_000_000))]
    events: Option<u32>,

    /// How often several consumers and a cold start are measured; the medians are shown [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: Option<u32>,

    /// What the events are made from
    #[arg(long, default_value_t = 42, value_name = "N")]
    pub(super) seed: u64,

    /// 60,000 events, one round and a few seconds of live traffic, to see whether it works: the figures mean little
    #[arg(long)]
    quick: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// One consumer and several, with one lane and with two.
    Consumers,
    /// A backlog under live traffic.
    CatchUp,
    /// From the start of a process to its first row.
    ColdStart,
    /// Live traffic alone.
    Steady,
}

impl Part {
    /// In words.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Consumers => "several consumers",
            Self::CatchUp => "catching up",
            Self::ColdStart => "cold start",
            Self::Steady => "a steady stream",
        }
    }
}

impl Settings {
    /// The chosen parts in the order of the report.
    pub(super) fn parts(&self) -> Vec<Part> {
        let chosen = |part: &Part| self.only.is_empty() || self.only.contains(part);
        Part::value_variants().iter().copied().filter(chosen).collect()
    }

    /// Events for several consumers and for a cold start.
    pub(super) fn events(&self) -> u32 {
        self.events.unwrap_or(if self.quick { 60_000 } else { 300_000 })
    }

    /// Events to catch up with.
    pub(super) fn backlog(&self) -> u32 {
        self.events.unwrap_or(if self.quick { 60_000 } else { 2_000_000 })
    }

    pub(super) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 })
    }

    /// Seconds of live traffic with nothing behind.
    pub(super) fn steady_seconds(&self) -> u64 {
        if self.quick { 10 } else { 60 }
    }
}
