//! What can be asked of the suite.

use audit_runtime::kafka::Property;
use clap::{Args, ValueEnum};

/// The publisher beside bare librdkafka, the gateway beside an HTTP server that does nothing.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Events of each measurement; where each is a request of its own, a quarter of them [default: 400000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1_000..=100_000_000))]
    events: Option<u32>,

    /// How often each variant is measured; the medians are shown [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: Option<u32>,

    /// Only these; without the one it is compared with a variant has no ratio
    #[arg(long, value_delimiter = ',', value_name = "NAME,..")]
    variants: Vec<Variant>,

    /// Connections that send a request as soon as the one before is answered
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) connections: u16,

    /// Idle connections whose memory is measured; 0 for none
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=15_000))]
    pub(crate) idle: u16,

    /// Partitions of the topics
    #[arg(long, default_value_t = 12, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=1_000))]
    pub(crate) partitions: i32,

    /// A librdkafka property for all that publish
    #[arg(long = "kafka-property", value_name = "NAME=VALUE")]
    pub(crate) properties: Vec<Property>,

    /// What the events are made from
    #[arg(long, default_value_t = 42, value_name = "N")]
    pub(crate) seed: u64,

    /// 40,000 events and one round, to see whether it works: the figures mean little
    #[arg(long)]
    quick: bool,
}

/// A way into the topic, or what one is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Variant {
    /// librdkafka's producer by itself.
    Bare,
    /// `AuditPublisher`.
    Publisher,
    /// An HTTP server that reads the body and answers 201.
    Nothing,
    /// `audit-producer gateway`, an event a request.
    Requests,
    /// `audit-producer gateway`, many events a request.
    Batches,
}

impl Variant {
    /// In words.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Bare => "(a) bare librdkafka, finished records",
            Self::Publisher => "(b) AuditPublisher, JSON; to (a)",
            Self::Nothing => "(c) axum, does nothing",
            Self::Requests => "(d) gateway, an event a request; to (c)",
            Self::Batches => "(e) gateway, batches of 100 events; to (b)",
        }
    }

    /// What it is compared with.
    pub(crate) fn yardstick(self) -> Self {
        match self {
            Self::Bare | Self::Publisher => Self::Bare,
            Self::Nothing | Self::Requests => Self::Nothing,
            Self::Batches => Self::Publisher,
        }
    }
}

impl Settings {
    pub(crate) fn events_of(&self, variant: Variant) -> u32 {
        let events = self.events.unwrap_or(if self.quick { 40_000 } else { 400_000 });
        match variant {
            Variant::Nothing | Variant::Requests => events / 4,
            Variant::Bare | Variant::Publisher | Variant::Batches => events,
        }
    }

    pub(crate) fn properties(&self) -> Vec<(String, String)> {
        let properties = self.properties.iter().cloned();
        properties.map(|Property { name, value }| (name, value)).collect()
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
