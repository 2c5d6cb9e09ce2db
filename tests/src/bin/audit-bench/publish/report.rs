//! The table, and all that one has to know to read it.

use std::fmt::{self, Display};

use super::{
    events::Events,
    idle::Idle,
    meter::Figures,
    settings::{Settings, Variant},
};
use crate::{
    cpu::ratio,
    machine::{Machine, kafka_version},
    table::{markdown, median, megabytes, shown},
};

const HEADER: [&str; 10] = [
    "variant",
    "ratio",
    "lowest–highest",
    "rate to (b)",
    "events/s",
    "p50, ms",
    "p99, ms",
    "CPU, µs/event",
    "generator CPU, µs/event",
    "broker CPU, µs/event",
];

/// Everything that was measured.
pub(crate) struct Report {
    variants: Vec<Variant>,
    about: String,
    runs: Vec<(Variant, u32, Figures)>,
    pub(super) idle: Option<Idle>,
}

impl Report {
    pub(crate) fn new(settings: &Settings, machine: &Machine, events: &Events) -> Self {
        let about = format!(
            "{} events of {} bytes on average (seed {}), {} requests, {} rounds, {} connections\n\
             {machine}\n\
             Apache Kafka {}: 1 node, {} partitions, acks=all, idempotent, lz4; further properties: {}",
            settings.events_of(Variant::Bare),
            events.average(),
            settings.seed,
            settings.events_of(Variant::Requests),
            settings.rounds(),
            settings.connections,
            kafka_version(),
            settings.partitions,
            shown_properties(&settings.properties()),
        );
        Self { variants: settings.variants(), about, runs: Vec::new(), idle: None }
    }

    pub(crate) fn add(&mut self, variant: Variant, round: u32, figures: Figures) {
        self.runs.push((variant, round, figures));
    }

    fn row(&self, variant: Variant) -> [String; 10] {
        let ratios = self.ratios(variant, variant.yardstick());
        let range = match (ratios.first(), ratios.last()) {
            (Some(lowest), Some(highest)) => format!("{lowest:.2}–{highest:.2}"),
            _ => "–".to_owned(),
        };
        [
            variant.title().to_owned(),
            shown(median(ratios), 2),
            range,
            shown(median(self.ratios(variant, Variant::Publisher)), 2),
            shown(self.median(variant, |run| Some(run.rate)), 0),
            shown(self.median(variant, |run| Some(run.latency.as_ref()?.p50)), 1),
            shown(self.median(variant, |run| Some(run.latency.as_ref()?.p99)), 1),
            shown(self.median(variant, |run| Some(run.cpu)), 1),
            shown(self.median(variant, |run| run.generator_cpu), 1),
            shown(self.median(variant, |run| run.broker_cpu), 1),
        ]
    }

    /// Of each round: this rate, as a share of the other's in the same round; in ascending order.
    fn ratios(&self, variant: Variant, to: Variant) -> Vec<f64> {
        let of_round = |round: u32| {
            let mut runs = self.runs.iter();
            runs.find(|(of, at, _)| *of == to && *at == round).map(|(_, _, run)| run.rate)
        };
        let runs = self.runs.iter().filter(|(of, _, _)| *of == variant);
        let mut ratios: Vec<f64> =
            runs.filter_map(|(_, round, run)| Some(run.rate / of_round(*round)?)).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    fn median(&self, variant: Variant, figure: impl Fn(&Figures) -> Option<f64>) -> Option<f64> {
        let runs = self.runs.iter().filter(|(of, _, _)| *of == variant);
        median(runs.filter_map(|(_, _, run)| figure(run)).collect())
    }
}

fn shown_properties(properties: &[(String, String)]) -> String {
    let pairs = properties.iter().map(|(name, value)| format!("{name}={value}"));
    let pairs = pairs.collect::<Vec<_>>().join(", ");
    if pairs.is_empty() { "none".to_owned() } else { pairs }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 10]> =
            self.variants.iter().map(|variant| self.row(*variant)).collect();
        writeln!(f, "{}\n", self.about)?;
        writeln!(f, "{}", markdown(&HEADER, &rows))?;
        if let Some(Idle { connections, without, with }) = self.idle {
            writeln!(
                f,
                "\n{connections} idle connections, each after a request: the gateway's resident memory went from \
                 {:.0} to {:.0} MB, {:.1} KB a connection.",
                megabytes(without),
                megabytes(with),
                ratio(with.saturating_sub(without), connections.into()) / 1_000.0,
            )?;
        }
        let others = self.runs.iter().map(|(_, _, run)| run.others);
        let most = others.clone().fold(0.0, f64::max);
        writeln!(
            f,
            "\nOther processes (the kernel's writing to disk among them) had {:.0} % of the machine in the median \
             measurement and {most:.0} % at most.",
            median(others.collect()).unwrap_or_default() * 100.0,
            most = most * 100.0,
        )?;
        write!(
            f,
            "A ratio is one of rates in the same round; medians of all rounds. Requests are sent by one process that \
             shares the machine; its own processor time is in a column of its own. After each measurement the topic held \
             as many records as were acknowledged."
        )
    }
}
