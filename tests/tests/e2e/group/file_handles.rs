//! A process that gets no more file handles.

use std::{process::Command, time::Duration};

use anyhow::{Result, ensure};
use audit_tests::{
    eventually, generator::Generator, load::spread, pipeline::Pipeline, service::Service,
};
use chrono::Utc;

const SEED: u64 = 0x0A0D_0106;
const PARTITIONS: i32 = 2;

/// It loses its database sessions and cannot open others: it says so, waits, and goes on by itself.
#[tokio::test]
async fn a_consumer_without_file_handles_waits_for_them() -> Result<()> {
    let pipeline = Pipeline::shared("handles", PARTITIONS).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    kafka.publish(&pipeline.topic, spread(&mut generator, 50, PARTITIONS)).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;

    limit_open_files(&consumer, 3)?;
    pipeline.servers.postgres.end_sessions(&pipeline.database).await?;
    kafka.publish(&pipeline.topic, spread(&mut generator, 50, PARTITIONS)).await?;
    eventually(Duration::from_secs(120), "the log to say what is missing", async || {
        let says = |line: &&str| {
            line.contains("the batch is not written yet") && line.contains("Too many open files")
        };
        let lines = consumer.log()?.lines().filter(says).count();
        ensure!(lines > 2, "{lines} lines");
        Ok(())
    })
    .await?;
    assert!(consumer.status()?.is_none(), "it has not given up");

    limit_open_files(&consumer, 1024)?;
    let summary = pipeline.verify().await?;
    assert_eq!((summary.ids, summary.ledger.duplicate), (200, 0));
    pipeline.stop(&consumer).await
}

/// With too few to begin with, it ends with one clear line, and the next one does the work.
#[tokio::test]
async fn a_consumer_that_cannot_start_for_want_of_file_handles_says_so() -> Result<()> {
    let pipeline = Pipeline::shared("handles_at_start", PARTITIONS).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let records = spread(&mut generator, 50, PARTITIONS);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;

    let starved = pipeline.consumer().open_files(12).env("AUDIT_STARTUP_TIMEOUT", "2s");
    let starved = starved.env("AUDIT_ADMIN_LISTEN", "127.0.0.1:0").run().await?;
    assert_eq!(starved.code, Some(1), "{}", starved.stderr);
    let last = starved.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: cannot "), "{}", starved.stderr);

    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await
}

/// Handles that are open stay open.
fn limit_open_files(service: &Service, limit: u32) -> Result<()> {
    let status = Command::new("prlimit")
        .args(["--pid", &service.pid().to_string(), &format!("--nofile={limit}:")])
        .status()?;
    ensure!(status.success(), "prlimit: {status}");
    Ok(())
}
