//! The table, and all that one has to know to read it.

use std::fmt::{self, Display};

use super::{case::Case, settings::Settings};
use crate::{
    load::Load,
    machine::{Machine, kafka_version},
    rows::BATCH,
    runs::Runs,
    table::{markdown, megabytes},
};

const HEADER: [&str; 12] = [
    "contents",
    "events",
    "B/event",
    "ratio to (a)",
    "lowest–highest",
    "ratio to new ids",
    "events/s",
    "(a), rows/s",
    "peak RSS, MB",
    "consumer CPU, µs/event",
    "PostgreSQL CPU, µs/event",
    "WAL, B/event",
];

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// The yardstick.
    Copy,
    Consumer,
}

impl Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Copy => "raw COPY",
            Self::Consumer => "consumer",
        })
    }
}

/// Everything that was measured.
pub(super) struct Report {
    about: String,
    cases: Vec<CaseLine>,
    pub(super) runs: Runs<(Case, Writer)>,
}

/// What a line begins with.
struct CaseLine {
    case: Case,
    title: String,
    events: u32,
    event_bytes: usize,
}

impl Report {
    pub(super) fn new(
        settings: &Settings,
        machine: &Machine,
        loads: &[(Case, Load)],
        postgres: &str,
    ) -> Self {
        let lanes = settings.lanes;
        let about = format!(
            "{lanes} writer connection{} of the consumer as of raw COPY, {} rounds, transactions of {BATCH} rows at \
             most (seed {})\n\
             {machine}\n\
             Apache Kafka {}: 1 node, lz4\n\
             PostgreSQL: {postgres}",
            if lanes == 1 { "" } else { "s" },
            settings.rounds(),
            settings.seed,
            kafka_version(),
        );
        let line = |(case, load): &(Case, Load)| CaseLine {
            case: *case,
            title: case.title(settings),
            events: load.records,
            event_bytes: load.event_bytes(),
        };
        Self { about, cases: loads.iter().map(line).collect(), runs: Runs::new() }
    }

    fn row(&self, line: &CaseLine) -> [String; 12] {
        let (consumer, copy) = ((line.case, Writer::Consumer), (line.case, Writer::Copy));
        let [ratio, range] = self.runs.ratio(consumer, copy);
        let [to_new, _] = self.runs.ratio(consumer, (Case::New, Writer::Consumer));
        [
            line.title.clone(),
            line.events.to_string(),
            line.event_bytes.to_string(),
            ratio,
            range,
            to_new,
            self.runs.median(consumer, 0, |run| Some(run.rate)),
            self.runs.median(copy, 0, |run| Some(run.rate)),
            self.runs.median(consumer, 0, |run| run.peak_memory.map(megabytes)),
            self.runs.median(consumer, 1, |run| Some(run.client_cpu)),
            self.runs.median(consumer, 1, |run| run.postgres_cpu),
            self.runs.median(consumer, 0, |run| run.wal),
        ]
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 12]> = self.cases.iter().map(|line| self.row(line)).collect();
        writeln!(f, "{}\n", self.about)?;
        writeln!(f, "{}", markdown(&HEADER, &rows))?;
        writeln!(f, "\n{}", self.runs.others())?;
        write!(
            f,
            "(a) is raw binary COPY of the rows that the table holds in the end, in the same round and on as many \
             connections: into the table as it was before, or an empty one where it had these ids. A ratio to new ids is \
             to the first line's events/s of the same round. Medians of all rounds. After each measurement the rows were \
             the right ones, by checksum, and the ledger accounted for every record as it should."
        )
    }
}
