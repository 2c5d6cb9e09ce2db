//! What must be stored, and whether it is.
//!
//! [`Expected`] folds the records of a topic with the pure rules of `audit_schema`; [`Oracle`] reads
//! the tables and says, line by line, where they differ.

mod compare;
mod expected;
mod ledger;
mod stored;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

pub use self::{expected::Expected, ledger::Counts};
use self::{ledger::Ledger, stored::Stored};
use crate::{eventually, kafka::KafkaCluster, postgres::connect};

/// Differences shown of all there are.
const SHOWN: usize = 20;

/// One topic and the database its stream is written to.
#[derive(Clone, Copy, Debug)]
pub struct Oracle<'a> {
    /// Where the topic is.
    pub kafka: &'a KafkaCluster,
    /// The topic.
    pub topic: &'a str,
    /// The URL of the database, without a proxy in between.
    pub database: &'a str,
    /// The stream, which is the consumer group.
    pub stream: &'a str,
}

/// What was found to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Rows of the table, one an id.
    pub ids: usize,
    /// Contents in history.
    pub history: usize,
    /// Open dead letters.
    pub dead_letters: usize,
    /// The whole ledger, summed.
    pub ledger: Counts,
}

impl Oracle<'_> {
    /// Waits until every offset of the topic is accounted for, then checks that the database holds
    /// what the topic's records come to.
    ///
    /// # Errors
    /// It does not get there within `limit`, or something differs.
    pub async fn verify(&self, limit: Duration) -> Result<Summary> {
        self.settled(limit).await?;
        let expected = Expected::of(&self.kafka.read_all(self.topic).await?);
        self.verify_against(&expected).await
    }

    /// Waits until every offset that the topic has now is accounted for.
    ///
    /// # Errors
    /// It does not get there within `limit`.
    pub async fn settled(&self, limit: Duration) -> Result<()> {
        let mut ends = Vec::new();
        for partition in 0..self.kafka.partitions(self.topic).await? {
            ends.push((partition, self.kafka.watermarks(self.topic, partition).await?.1));
        }
        eventually(limit, "every offset to be accounted for", async || {
            let client = connect(self.database).await?;
            let ledger = Ledger::read(&client, self.stream, self.topic).await?;
            for &(partition, end) in &ends {
                let next = ledger.next_offset(partition);
                ensure!(next == Some(end), "partition {partition} is at {next:?} of {end}");
            }
            Ok(())
        })
        .await
    }

    /// Checks the database against what was expected, for tests whose topic no longer holds all
    /// that was stored from it.
    ///
    /// # Errors
    /// Something differs: each difference is a line of the error, up to twenty.
    pub async fn verify_against(&self, expected: &Expected) -> Result<Summary> {
        self.compare(expected, &[]).await
    }

    /// Like [`Self::verify`] where other streams write the same topic to the same database: each
    /// accounts for every offset, and what one of them stored is a duplicate to the others. The
    /// summary's ledger is the sum of all.
    ///
    /// # Errors
    /// As for [`Self::verify`].
    pub async fn verify_with(&self, others: &[&str], limit: Duration) -> Result<Summary> {
        for stream in others {
            Oracle { stream, ..*self }.settled(limit).await?;
        }
        self.verify_beside(others, limit).await
    }

    /// The same where the other streams account for a part of the topic each, and are done with it:
    /// replays.
    ///
    /// # Errors
    /// As for [`Self::verify`].
    pub async fn verify_beside(&self, others: &[&str], limit: Duration) -> Result<Summary> {
        self.settled(limit).await?;
        let expected = Expected::of(&self.kafka.read_all(self.topic).await?);
        self.compare(&expected, others).await
    }

    async fn compare(&self, expected: &Expected, others: &[&str]) -> Result<Summary> {
        let client = connect(self.database).await?;
        let stored = Stored::read(&client, self.topic).await.context("read what is stored")?;
        let mut differences = compare::contents(expected, &stored);
        let mut ledger = Counts::default();
        let mut records = 0;
        for stream in [self.stream].iter().chain(others) {
            let one = Ledger::read(&client, stream, self.topic).await?;
            differences.extend(one.problems());
            ledger.add(&one.total());
            records += expected.seen.iter().filter(|at| one.covers(at)).count();
        }
        differences.extend(compare::counts(expected, &stored, &ledger, records));
        if !differences.is_empty() {
            let shown = differences.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n  ");
            bail!("{} differences, the first of them:\n  {shown}", differences.len());
        }
        Ok(Summary {
            ids: stored.rows.len(),
            history: stored.history.len(),
            dead_letters: stored.dead_letters.len(),
            ledger,
        })
    }
}
