//! `audit-consumer verify`: finds whatever was changed behind the stream's back, and nothing else.

use anyhow::{Context, Result, ensure};
use audit_tests::{
    binary::{Binary, Output},
    generator::Generator,
    pipeline::Pipeline,
};
use chrono::Utc;
use serde_json::Value;

use crate::database::mixture;

mod clean;
mod gone;
mod ledger;
mod live;
mod memory;
mod partitions;
mod planted;
mod rows;
mod stage;

const PARTITIONS: i32 = 2;

/// What `verify` printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Verdict {
    report: Value,
    code: Option<i32>,
}

impl Verdict {
    /// Of the tables by themselves.
    async fn of_tables(pipeline: &Pipeline<'_>) -> Result<Self> {
        Self::of(command(pipeline).run().await?)
    }

    /// Of the tables and the topic.
    pub(crate) async fn of_topic(pipeline: &Pipeline<'_>) -> Result<Self> {
        Self::of(command(pipeline).args(["--against-topic"]).run().await?)
    }

    fn of(output: Output) -> Result<Self> {
        let Output { code, stdout, stderr, .. } = output;
        let report =
            serde_json::from_str(&stdout).with_context(|| format!("{code:?}: {stderr}"))?;
        ensure!(!stderr.contains(r#""level":"ERROR""#), "nothing failed: {stderr}");
        Ok(Self { report, code })
    }

    /// Nothing was found.
    pub(crate) fn is_clean(&self) -> Result<()> {
        let summary = self.report["summary"].as_str().unwrap_or_default();
        ensure!(self.report["problems"] == 0 && summary.starts_with("verified: "), "{self:#?}");
        ensure!(self.report["findings"] == Value::Array(Vec::new()), "{self:#?}");
        ensure!(self.code == Some(0), "{self:#?}");
        Ok(())
    }

    /// Something was found, and one of the lines has all these words.
    fn has(&self, words: &[&str]) -> Result<()> {
        ensure!(self.code == Some(3), "{self:#?}");
        let summary = self.report["summary"].as_str().unwrap_or_default();
        ensure!(summary.starts_with("found "), "{self:#?}");
        let lines = self.report["findings"].as_array().context("findings")?;
        let has_all = |line: &&Value| {
            let line = line.to_string();
            words.iter().all(|word| line.contains(word))
        };
        ensure!(lines.iter().any(|line| has_all(&line)), "{words:?} in {self:#?}");
        Ok(())
    }

    /// Contents whose record was not read.
    fn outside(&self) -> Option<u64> {
        self.report["topic"]["contents_of_records_not_read"].as_u64()
    }
}

/// `verify` with its result as JSON.
fn command(pipeline: &Pipeline<'_>) -> Binary {
    pipeline
        .command("verify")
        .env("AUDIT_FORMAT", "json")
        .env("AUDIT_BROKERS", pipeline.servers.kafka.bootstrap())
        .env("AUDIT_TOPIC", &pipeline.topic)
}

/// Publishes events of every kind and has them stored.
async fn stored(pipeline: &Pipeline<'_>, seed: u64, events: usize) -> Result<()> {
    let mut generator = Generator::new(seed, Utc::now());
    let records = mixture(&mut generator, events, PARTITIONS);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await
}
