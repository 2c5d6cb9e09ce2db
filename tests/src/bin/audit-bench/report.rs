//! The table, and all that one has to know to read it.

use std::{
    fmt::{self, Display},
    fs,
    thread::available_parallelism,
};

use anyhow::{Context, Result};

use crate::{
    meter::Figures,
    rows::BATCH,
    settings::{Settings, Variant},
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

/// The machine before anything was started on it.
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_gb: u64,
    load: String,
}

impl Machine {
    pub(crate) fn now() -> Result<Self> {
        let find = |text: &str, name: &str| -> Option<String> {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory =
            find(&fs::read_to_string("/proc/meminfo")?, "MemTotal").context("no MemTotal")?;
        let kilobytes: u64 = memory.trim_end_matches(" kB").parse()?;
        let load = fs::read_to_string("/proc/loadavg")?;
        Ok(Self {
            cores: available_parallelism()?.get(),
            processor: find(&fs::read_to_string("/proc/cpuinfo")?, "model name")
                .unwrap_or_default(),
            memory_gb: kilobytes >> 20,
            load: load.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
        })
    }
}

/// Everything that was measured.
pub(crate) struct Report {
    variants: Vec<Variant>,
    about: String,
    runs: Vec<(Variant, u32, Figures)>,
}

impl Report {
    pub(crate) fn new(settings: &Settings, machine: Machine, bytes: usize, postgres: &str) -> Self {
        let events = settings.events();
        let Machine { cores, processor, memory_gb, load } = machine;
        let average = bytes / usize::try_from(events).unwrap_or(1).max(1);
        let about = format!(
            "{events} events of {average} bytes on average (seed {}), {} rounds, transactions of {BATCH} rows\n\
             machine: {cores} × {processor}, {memory_gb} GB; broker, PostgreSQL and consumer share it; \
             load average before the start: {load}\n\
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
        writeln!(f, "{}", markdown(&rows))?;
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

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle)?;
    if values.len() % 2 == 1 {
        Some(*upper)
    } else {
        Some(f64::midpoint(values[middle - 1], *upper))
    }
}

fn megabytes(bytes: u64) -> f64 {
    crate::cpu::ratio(bytes, 1_000_000)
}

fn shown(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.decimals$}"))
}

/// A table that can be read as it is and pasted into a page.
fn markdown(rows: &[[String; 10]]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.chain([HEADER[at].chars().count()]).max().unwrap_or(0)
    };
    let line = |cells: [&str; 10]| {
        let mut cells = cells.into_iter().enumerate();
        let first = cells
            .next()
            .map_or_else(String::new, |(at, cell)| format!("| {cell:<0$} |", width(at)));
        cells.fold(first, |line, (at, cell)| format!("{line} {cell:>0$} |", width(at)))
    };
    let mut rule = "|---|".to_owned();
    rule.push_str(&"---:|".repeat(HEADER.len() - 1));
    let body = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    [line(HEADER), rule].into_iter().chain(body).collect::<Vec<_>>().join("\n")
}

/// Where it stands once: in the pom that fetches it.
fn kafka_version() -> &'static str {
    const POM: &str = include_str!("../../../kafka/pom.xml");
    let version = POM.split_once("<kafka.version>").and_then(|(_, rest)| rest.split_once('<'));
    version.map_or("of unknown version", |(version, _)| version)
}
