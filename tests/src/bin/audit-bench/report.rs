//! The table, and all that one has to know to read it.

use std::fmt::{self, Display};

use crate::{
    machine::{Machine, kafka_version},
    meter::Figures,
    rows::BATCH,
    settings::{Settings, Variant},
    table::{markdown, median, megabytes, shown},
};

const HEADER: [&str; 10] = [
    "variant",
    "ratio to (a)",
    "lowest–highest",
    "events/s",
    "peak RSS, MB",
    "client CPU, µs/event",
    "PostgreSQL CPU, µs/event",
    "broker CPU, µs/event",
    "WAL, B/row",
    "disk, B/row",
];

/// Everything that was measured.
pub(crate) struct Report {
    variants: Vec<Variant>,
    about: String,
    runs: Vec<(Variant, u32, Figures)>,
}

impl Report {
    pub(crate) fn new(
        settings: &Settings,
        machine: &Machine,
        bytes: usize,
        postgres: &str,
    ) -> Self {
        let events = settings.events();
        let average = bytes / usize::try_from(events).unwrap_or(1).max(1);
        let about = format!(
            "{events} events of {average} bytes on average (seed {}), {} rounds, transactions of {BATCH} rows\n\
             {machine}\n\
             Apache Kafka {}: 1 node, 12 partitions, lz4\n\
             PostgreSQL: {postgres}",
            settings.seed,
            settings.rounds(),
            kafka_version(),
        );
        Self { variants: settings.variants(), about, runs: Vec::new() }
    }

    pub(crate) fn add(&mut self, variant: Variant, round: u32, figures: Figures) {
        self.runs.push((variant, round, figures));
    }

    fn row(&self, variant: Variant) -> [String; 10] {
        let ratios = self.ratios(variant);
        let range = match (ratios.first(), ratios.last()) {
            (Some(lowest), Some(highest)) => format!("{lowest:.2}–{highest:.2}"),
            _ => "–".to_owned(),
        };
        [
            variant.title().to_owned(),
            shown(median(ratios), 2),
            range,
            shown(self.median(variant, |run| Some(run.rate)), 0),
            shown(self.median(variant, |run| run.peak_memory.map(megabytes)), 0),
            shown(self.median(variant, |run| Some(run.client_cpu)), 1),
            shown(self.median(variant, |run| run.postgres_cpu), 1),
            shown(self.median(variant, |run| run.broker_cpu), 1),
            shown(self.median(variant, |run| run.wal), 0),
            shown(self.median(variant, |run| run.disk), 0),
        ]
    }

    /// Of each round: this rate, as a share of the same round's raw COPY; in ascending order.
    fn ratios(&self, variant: Variant) -> Vec<f64> {
        let of_round = |wanted: Variant, round: u32| {
            let mut runs = self.runs.iter();
            runs.find(|(variant, at, _)| *variant == wanted && *at == round)
                .map(|(_, _, run)| run.rate)
        };
        let runs = self.runs.iter().filter(|(of, _, _)| *of == variant);
        let mut ratios: Vec<f64> = runs
            .filter_map(|(_, round, run)| Some(run.rate / of_round(variant.yardstick(), *round)?))
            .collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    fn median(&self, variant: Variant, figure: impl Fn(&Figures) -> Option<f64>) -> Option<f64> {
        let runs = self.runs.iter().filter(|(of, _, _)| *of == variant);
        median(runs.filter_map(|(_, _, run)| figure(run)).collect())
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 10]> =
            self.variants.iter().map(|variant| self.row(*variant)).collect();
        writeln!(f, "{}\n", self.about)?;
        writeln!(f, "{}", markdown(&HEADER, &rows))?;
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
            "A ratio is to the raw COPY of the same round on as many connections; medians of all rounds. After each \
             measurement the table held the same rows, by checksum."
        )
    }
}
