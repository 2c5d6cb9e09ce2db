//! Whether the database holds what the topic does.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Plan, stage::Stage};

/// How long it may take to read everything again, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Events up to which the oracle looks as well: it holds all of them in memory.
const ORACLE_UP_TO: usize = 100_000;

/// What was proven.
pub(super) async fn of(plan: &Plan, stage: &Stage<'_>) -> Result<String> {
    let mut proven = verified(stage).await?;
    if plan.events <= ORACLE_UP_TO {
        let streams = stage.replays.streams();
        let streams: Vec<&str> = streams.iter().map(String::as_str).collect();
        let summary = stage.pipeline.oracle().verify_beside(&streams, PATIENCE).await?;
        proven.push_str(&format!("the oracle: {summary:?}"));
    }
    Ok(proven)
}

/// `verify --against-topic` finds nothing.
async fn verified(stage: &Stage<'_>) -> Result<String> {
    let pipeline = stage.pipeline;
    let verify = pipeline.command("verify").args(["--against-topic"]);
    let verify = verify
        .env("AUDIT_BROKERS", pipeline.servers.kafka.bootstrap())
        .env("AUDIT_TOPIC", &pipeline.topic)
        .quiet()
        .start()?;
    let status = verify.wait(PATIENCE).await?;
    let report = verify.stdout()?;
    ensure!(status.success(), "verify: {status}\n{report}{}", verify.log_tail(20));
    Ok(report)
}
