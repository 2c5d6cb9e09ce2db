//! `audit-consumer doctor`: every fault, provoked, has its own line that says how to mend it.

use anyhow::{Context, Result, ensure};
use audit_tests::{binary::Binary, pipeline::Pipeline};
use serde_json::Value;

mod database;
mod kafka;
mod schema;
mod stream;
mod well;

/// What `doctor` printed, and its exit code.
#[derive(Debug)]
struct Report {
    lines: Vec<Value>,
    code: Option<i32>,
}

impl Report {
    /// Runs `doctor` on a stream, with more of the environment set.
    async fn of(pipeline: &Pipeline<'_>, environment: &[(&str, &str)]) -> Result<Self> {
        let doctor = environment
            .iter()
            .fold(doctor(pipeline), |doctor, (name, value)| doctor.env(name, *value));
        let output = doctor.args(["--format", "json"]).run().await?;
        let lines = serde_json::from_str(&output.stdout)
            .with_context(|| format!("{:?}: {}", output.code, output.stderr))?;
        Ok(Self { lines, code: output.code })
    }

    /// The checks that are not good, with their status.
    fn trouble(&self) -> Vec<(&str, &str)> {
        self.lines
            .iter()
            .filter_map(|line| Some((line["check"].as_str()?, line["status"].as_str()?)))
            .filter(|(_, status)| *status != "good")
            .collect()
    }

    /// Exactly one check is in trouble; the words are in what was found or in the advice. Bad is exit code 3.
    fn only(&self, check: &str, status: &str, words: &[&str]) -> Result<()> {
        ensure!(self.trouble() == [(check, status)], "{self:#?}");
        self.has(check, status, words)
    }

    /// One of the checks is in trouble like this.
    fn has(&self, check: &str, status: &str, words: &[&str]) -> Result<()> {
        let line = self.lines.iter().find(|line| line["check"] == check);
        let line = line.with_context(|| format!("no line {check}: {self:#?}"))?;
        ensure!(line["status"] == status, "{line}");
        for word in words {
            let text = format!("{} {}", line["found"], line["advice"]);
            ensure!(text.contains(word), "{word:?} is not in {line}");
        }
        let any_bad = self.lines.iter().any(|line| line["status"] == "bad");
        ensure!(self.code == Some(if any_bad { 3 } else { 0 }), "exit code {:?}", self.code);
        Ok(())
    }
}

fn doctor(pipeline: &Pipeline<'_>) -> Binary {
    pipeline
        .command("doctor")
        .env("AUDIT_BROKERS", pipeline.servers.kafka.bootstrap())
        .env("AUDIT_TOPIC", &pipeline.topic)
        .env("AUDIT_GROUP", &pipeline.group)
}
