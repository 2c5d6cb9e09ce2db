//! Nothing is wrong.

use anyhow::{Result, ensure};
use audit_tests::{eventually, generator::Generator, load::spread};
use chrono::Utc;

use super::{Report, doctor};
use crate::database::{PATIENCE, roles};

const SEED: u64 = 0x0A0D_1030;
const CHECKS: [&str; 21] = [
    "brokers",
    "topic",
    "topic replicas",
    "topic cleanup.policy",
    "topic message.timestamp.type",
    "topic max.message.bytes",
    "topic retention.ms",
    "topic min.insync.replicas",
    "topic unclean.leader.election.enable",
    "group",
    "broker clock",
    "database",
    "database encoding",
    "database settings",
    "database connections",
    "database clock",
    "schema",
    "rights",
    "partitions",
    "default partition",
    "stream",
];

/// Before a consumer was ever started, and while one runs.
#[tokio::test]
async fn a_stream_in_good_health() -> Result<()> {
    let postgres = roles::server().await?;
    let pipeline = roles::pipeline(&postgres, "healthy", 2).await?;
    let before = Report::of(&pipeline, &[]).await?;
    assert_eq!((before.trouble(), before.code), (vec![], Some(0)), "{before:#?}");
    before.has("stream", "good", &["not been read yet"])?;

    let mut generator = Generator::new(SEED, Utc::now());
    let kafka = pipeline.servers.kafka;
    kafka.publish(&pipeline.topic, spread(&mut generator, 20, 2)).await?;
    let probe = format!("{}_probe", pipeline.topic);
    kafka.create_topic(&probe, 2, &[("message.timestamp.type", "LogAppendTime")]).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    eventually(PATIENCE, "the consumer to look at its partitions", async || {
        let report = Report::of(&pipeline, &[("AUDIT_PROBE_TOPIC", &probe)]).await?;
        ensure!(report.trouble().is_empty() && report.code == Some(0), "{report:#?}");
        let checks: Vec<_> = report.lines.iter().map(|line| &line["check"]).collect();
        ensure!(checks[..CHECKS.len()] == CHECKS, "{checks:?}");
        report.has("broker clock", "good", &["agrees"])?;
        report.has("stream", "good", &["complete up to 20", "0 records behind"])?;
        report.has("group", "good", &["1 members"])
    })
    .await?;
    pipeline.stop(&consumer).await?;

    let table = doctor(&pipeline).run().await?.success()?;
    assert!(table.trim_start().starts_with("CHECK") && table.contains("STATUS"), "{table}");
    let csv = doctor(&pipeline).args(["--format", "csv"]).run().await?.success()?;
    assert!(csv.starts_with("check,status,found,advice\nbrokers,good,"), "{csv}");
    Ok(())
}
