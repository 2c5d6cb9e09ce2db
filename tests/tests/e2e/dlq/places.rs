//! `audit-consumer dlq show` says where in the bytes the error is.

use anyhow::{Context, Result};
use audit_tests::{generator::Generator, kafka::Record, pipeline::Pipeline};
use chrono::Utc;
use serde_json::Value;

use super::{ACCEPTING, REFUSING, client, dlq, place};
use crate::database::{PATIENCE, new_ids};

const SEED: u64 = 0x0A0D_0D03;

/// A value, the code, and what stands where the error is.
const VALUES: [(&str, &str, &str); 4] = [
    (
        r#"{"id":"","remediation_id":"é","workflow_name":"w","workflow_version":"v","outcome":"exploded"}"#,
        "invalid_outcome",
        r#""exploded""#,
    ),
    (r#"{"a": nul}"#, "invalid_json", "nul}"),
    (
        r#"{"id":"","remediation_id":"r","workflow_name":"w","workflow_version":"v","outcome":"success","effectiveness_score":1.5,"status":"s"}"#,
        "out_of_range",
        "1.5",
    ),
    (r#"{"id":"","remediation_id":"#, "invalid_json", ""),
];

#[tokio::test]
async fn the_caret_is_below_the_error() -> Result<()> {
    let pipeline = Pipeline::shared("places", 1).await?;
    let records = VALUES.map(|(value, ..)| Record::new(value)).to_vec();
    let places = pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await?;

    for (at, (value, code, found)) in places.iter().zip(VALUES) {
        let place = place(&pipeline, at);
        let shown = dlq(&pipeline, &["show", &place, "--format", "json"]).await?.success()?;
        let shown: Value = serde_json::from_str(&shown)?;
        let problem = &shown["problems"][0];
        let byte = usize::try_from(problem["byte"].as_u64().context(value)?)?;
        assert_eq!((&problem["code"], &shown["value_bytes"]), (&code.into(), &value.len().into()));
        assert!(value[byte..].starts_with(found), "{value}: byte {byte}");
        assert_eq!(byte == value.len(), found.is_empty(), "{value}: byte {byte}");

        let page = dlq(&pipeline, &["show", &place]).await?.success()?;
        let lines: Vec<&str> = page.lines().collect();
        let caret = lines.iter().position(|line| line.trim() == "^").context("no caret")?;
        let column = lines[caret].chars().count() - 1;
        let below: String = lines[caret - 1].chars().skip(column).collect();
        assert!(below.starts_with(found), "{page}");
        assert!(lines[caret - 2].ends_with(&format!("(byte {byte})")), "{page}");
    }
    Ok(())
}

/// A record that only the database refused has no place; the page says what to do.
#[tokio::test]
async fn what_this_version_accepts_is_said_to_be_fine() -> Result<()> {
    let pipeline = Pipeline::shared("no_place", 1).await?;
    let client = client(&pipeline).await?;
    client.batch_execute(REFUSING).await?;
    let records = new_ids(&mut Generator::new(SEED, Utc::now()), 1);
    let places = pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    pipeline.stop(&consumer).await?;
    client.batch_execute(ACCEPTING).await?;
    let page = dlq(&pipeline, &["show", &place(&pipeline, &places[0])]).await?.success()?;
    assert!(page.contains("not yet") && page.contains("audit-consumer dlq retry"), "{page}");
    assert!(!page.contains('^'), "{page}");
    Ok(())
}
