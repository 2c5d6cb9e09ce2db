//! What can be asked of the benchmark.

use clap::{Args, ValueEnum};

/// The consumer beside raw COPY, other sinks' upserts and bare librdkafka: one table of ratios.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Events in the topic [default: 300000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(10_000..=10_000_000))]
    events: Option<u32>,

    /// How often each variant is measured; the medians are shown [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: Option<u32>,

    /// Only these; without the raw COPY of as many connections a variant has no ratio
    #[arg(long, value_delimiter = ',', value_name = "NAME,..")]
    variants: Vec<Variant>,

    /// What the events are made from
    #[arg(long, default_value_t = 42, value_name = "N")]
    pub(crate) seed: u64,

    /// Makes every event this large, by leaving optional fields out or adding one; else they are
    /// as large as they happen to be, 2 KB on average
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(200..=900_000))]
    pub(crate) event_bytes: Option<u32>,

    /// 30,000 events and one round, to see whether it works: the figures mean little
    #[arg(long)]
    quick: bool,
}

/// A way to move the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Variant {
    /// Binary COPY of finished bytes on one connection.
    #[value(name = "copy-1")]
    Copy1,
    /// The same on two.
    #[value(name = "copy-2")]
    Copy2,
    /// `audit-consumer run --lanes 1`.
    #[value(name = "consumer-1")]
    Consumer1,
    /// `audit-consumer run --lanes 2`, its default.
    #[value(name = "consumer-2")]
    Consumer2,
    /// INSERT .. SELECT FROM unnest(..) ON CONFLICT DO UPDATE.
    Unnest,
    /// INSERT .. VALUES (..), (..), .. ON CONFLICT DO UPDATE.
    Values,
    /// The consumer's Kafka client, its records thrown away.
    Librdkafka,
}

impl Variant {
    /// In words.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Copy1 => "(a) raw binary COPY, 1 connection",
            Self::Copy2 => "(a) raw binary COPY, 2 connections",
            Self::Consumer1 => "(b) audit-consumer, 1 lane",
            Self::Consumer2 => "(b) audit-consumer, 2 lanes",
            Self::Unnest => "(c) UNNEST upsert, 1 connection",
            Self::Values => "(d) multi-row VALUES upsert, 1 connection",
            Self::Librdkafka => "(e) librdkafka, no database",
        }
    }

    /// The raw COPY it is compared with.
    pub(crate) fn yardstick(self) -> Self {
        match self {
            Self::Copy2 | Self::Consumer2 => Self::Copy2,
            _ => Self::Copy1,
        }
    }
}

impl Settings {
    pub(crate) fn events(&self) -> u32 {
        self.events.unwrap_or(if self.quick { 30_000 } else { 300_000 })
    }

    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 })
    }

    /// The chosen variants in the order of the report.
    pub(crate) fn variants(&self) -> Vec<Variant> {
        let chosen =
            |variant: &Variant| self.variants.is_empty() || self.variants.contains(variant);
        Variant::value_variants().iter().copied().filter(chosen).collect()
    }
}
