//! Proves that the database holds what it must, from the rows themselves and, if asked to, from the topic.
//!
//! Every table is read once, in one snapshot, and each row checked by itself. What is known of an id is collected and
//! sorted in bounded memory, the topic's records with it, so that ids can then be looked at one after the other:
//!
//! ```text
//! snapshot ─► ledger, letters, tables, partitions, sums ─► entries ─► ids ─► topic::compare
//!                                    topic (read again) ────┘
//! ```
//!
//! Nothing is said of what came after the snapshot: a record that no stream had accounted for is not read.

mod entry;
mod finding;
mod ids;
mod ledger;
mod letters;
mod partitions;
mod progress;
mod row;
mod snapshot;
mod sort;
mod sums;
mod tables;
mod topic;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use audit_schema::migrations::OLDEST_DEAD_LETTER_SCHEMA;

pub use self::finding::{Finding, Findings};
pub use self::progress::Progress;
pub use self::tables::Counted;
pub use self::topic::{Area, Selection};

use self::entry::Entries;
use self::ledger::Ledger;
use self::letters::LetterSorter;
use self::partitions::Held;
use self::snapshot::Snapshot;
use self::tables::Tables;
use self::topic::Reading;
use crate::database::{self, DatabaseUrl};

/// What to verify, and with what means.
#[derive(Debug)]
pub struct Task {
    /// The database.
    pub database: DatabaseUrl,
    /// The topic to read again, if it is to be read.
    pub selection: Option<Selection>,
    /// Memory for sorting, in bytes.
    pub memory: usize,
    /// Where what does not fit into memory is put.
    pub directory: PathBuf,
    /// How many findings are kept.
    pub limit: usize,
}

/// What was looked at, and what is wrong with it.
#[derive(Debug)]
pub struct Report {
    /// Rows that were read.
    pub counted: Counted,
    /// Dead letters, resolved ones included.
    pub dead_letters: i64,
    /// What was read of the topic.
    pub topic: Option<Spoken>,
    /// What is wrong.
    pub findings: Findings,
}

/// What was said of the topic.
#[derive(Debug)]
pub struct Spoken {
    /// Its name.
    pub topic: String,
    /// The offsets that were read.
    pub area: Area,
    /// Contents whose record is not among them.
    pub outside: u64,
}

impl Task {
    /// Looks at everything.
    ///
    /// # Errors
    /// The database, the topic or the temporary files cannot be read.
    pub async fn run(self) -> anyhow::Result<Report> {
        let mut progress = Progress::new();
        let mut findings = Findings::new(self.limit);
        let topic = self.selection.as_ref().map(|selection| &*selection.kafka.topic);
        let (_, client) =
            database::connect_once(&self.database.read_only(Duration::ZERO), 1).await?;
        database::check_schema(&client, OLDEST_DEAD_LETTER_SCHEMA).await?;

        let snapshot = Snapshot::take(&client).await?;
        let ledger = Ledger::read(&snapshot).await?;
        if let Some(selection) = &self.selection
            && !ledger.accounts.iter().any(|account| selection.has(account))
        {
            let stream = selection.stream.as_ref().map_or(String::new(), |name| format!(" {name}"));
            bail!(
                "no stream{stream} has read the topic {} into this database (--topic, --group)",
                selection.kafka.topic
            );
        }
        ledger.check(&mut findings);
        let of_letters = self.memory / 8;
        let sorter = LetterSorter::new(self.directory.clone(), of_letters);
        let letters = letters::read(&snapshot, &ledger, topic, sorter, &mut findings).await?;
        let mut entries = Entries::new(self.directory.clone(), self.memory - of_letters);
        let mut held = Held::default();
        let mut tables = Tables {
            snapshot: &snapshot,
            ledger: &ledger,
            topic,
            entries: &mut entries,
            findings: &mut findings,
            progress: &mut progress,
        };
        let counted = tables.read(&mut held).await?;
        partitions::check(&snapshot, &held, &mut findings).await?;
        snapshot.release().await?;
        sums::check(&ledger, letters.retried, counted, letters.count, &mut findings);

        let dead_letters = letters.count;
        let mut spoken = None;
        if let Some(selection) = self.selection {
            let mut reading =
                Reading { entries: &mut entries, findings: &mut findings, progress: &mut progress };
            let area = reading.read(&selection, &ledger, letters).await?;
            spoken = Some(Spoken { topic: selection.kafka.topic, area, outside: 0 });
        }
        let entries = entries.finish()?;
        ids::each(entries, |id| {
            id.check(&mut findings);
            if let Some(spoken) = &mut spoken {
                spoken.outside += topic::compare(id, &spoken.topic, &spoken.area, &mut findings);
            }
        })?;
        Ok(Report { counted, dead_letters, topic: spoken, findings })
    }
}
