//! Reads the topic again, as far as streams have accounted for it, and compares what its records come to.

mod area;
mod compare;
mod letters;
mod partition;
mod reader;

use audit_runtime::kafka::KafkaOptions;
use audit_schema::decode::Decoder;
use chrono::{DateTime, Utc};

pub use self::area::Area;
pub(super) use self::compare::compare;
use self::letters::Cursor;
use self::partition::Plan;
use self::reader::Reader;
use super::entry::Entries;
use super::finding::Findings;
use super::ledger::{Account, Ledger};
use super::letters::Letters;
use super::progress::Progress;
use crate::kafka::Probe;

/// The part of a topic that is read.
#[derive(Debug)]
pub struct Selection {
    /// Where it is.
    pub kafka: KafkaOptions,
    /// Only what this stream has accounted for; else what any has.
    pub stream: Option<String>,
    /// Only from the first record of each partition on that is not older.
    pub since: Option<DateTime<Utc>>,
}

impl Selection {
    pub(super) fn has(&self, account: &Account) -> bool {
        account.topic == self.kafka.topic
            && self.stream.as_ref().is_none_or(|stream| account.stream == *stream)
    }
}

/// What reading the topic needs.
pub(super) struct Reading<'a> {
    pub(super) entries: &'a mut Entries,
    pub(super) findings: &'a mut Findings,
    pub(super) progress: &'a mut Progress,
}

impl Reading<'_> {
    /// Reads the records into the entries, partition by partition; says which offsets it has spoken of.
    pub(super) async fn read(
        &mut self,
        selection: &Selection,
        ledger: &Ledger,
        letters: Letters,
    ) -> anyhow::Result<Area> {
        let partitions = Probe::new(&selection.kafka)?.partitions().await?;
        let reader = Reader::new(&selection.kafka)?;
        // The client's calls block.
        tokio::task::block_in_place(|| {
            let mut letters = Cursor::new(letters.of_topic)?;
            let mut decoder = Decoder::default();
            let mut plans = Vec::new();
            for partition in 0..partitions {
                let of_partition =
                    |account: &&Account| account.partition == partition && selection.has(account);
                let accounts: Vec<&Account> = ledger.accounts.iter().filter(of_partition).collect();
                plans.push(Plan::make(&reader, partition, &accounts, selection.since)?);
            }
            self.progress.begin("records read", plans.iter().map(Plan::offsets).sum());
            let mut area = Area::default();
            for mut plan in plans {
                plan.read(&reader, &mut decoder, &mut letters, self)?;
                area.add(plan.partition, plan.finish(&reader, self.findings)?);
            }
            Ok(area)
        })
    }
}
