//! The table, and all that one has to know to read it.

use std::fmt::{self, Display};

use super::settings::{Settings, Variant};
use crate::{
    load::Load,
    machine::{Machine, kafka_version},
    rows::BATCH,
    runs::Runs,
    table::{markdown, megabytes},
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
pub(super) struct Report {
    variants: Vec<Variant>,
    about: String,
    pub(super) runs: Runs<Variant>,
}

impl Report {
    pub(super) fn new(settings: &Settings, machine: &Machine, load: &Load, postgres: &str) -> Self {
        let events = load.records;
        let average = load.event_bytes();
        let about = format!(
            "{events} events of {average} bytes on average (seed {}), {} rounds, transactions of {BATCH} rows\n\
             {machine}\n\
             Apache Kafka {}: 1 node, 12 partitions, lz4\n\
             PostgreSQL: {postgres}",
            settings.seed,
            settings.rounds(),
            kafka_version(),
        );
        Self { variants: settings.variants(), about, runs: Runs::new() }
    }

    fn row(&self, variant: Variant) -> [String; 10] {
        let [ratio, range] = self.runs.ratio(variant, variant.yardstick());
        [
            variant.title().to_owned(),
            ratio,
            range,
            self.runs.median(variant, 0, |run| Some(run.rate)),
            self.runs.median(variant, 0, |run| run.peak_memory.map(megabytes)),
            self.runs.median(variant, 1, |run| Some(run.client_cpu)),
            self.runs.median(variant, 1, |run| run.postgres_cpu),
            self.runs.median(variant, 1, |run| run.broker_cpu),
            self.runs.median(variant, 0, |run| run.wal),
            self.runs.median(variant, 0, |run| run.disk),
        ]
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 10]> =
            self.variants.iter().map(|variant| self.row(*variant)).collect();
        writeln!(f, "{}\n", self.about)?;
        writeln!(f, "{}", markdown(&HEADER, &rows))?;
        writeln!(f, "\n{}", self.runs.others())?;
        write!(
            f,
            "A ratio is to the raw COPY of the same round on as many connections; medians of all rounds. After each \
             measurement the table held the same rows, by checksum."
        )
    }
}
