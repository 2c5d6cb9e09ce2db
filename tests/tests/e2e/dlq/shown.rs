//! `audit-consumer dlq` shows what a dead letter is.

use anyhow::{Context, Result};
use audit_tests::{
    kafka::{Acknowledged, Record},
    pipeline::Pipeline,
};
use serde_json::Value;

#[tokio::test]
async fn they_are_listed_and_shown() -> Result<()> {
    let pipeline = Pipeline::shared("dlq", 1).await?;
    let broken = Record::new(&b"{\"a\":\xff, \"b\"\n"[..])
        .with_key("the key")
        .with_header("ce_type", "\u{1b}[31m,\"quoted\"")
        .with_header("empty", "");
    let tombstone = Record { value: None, ..Record::new("") };
    let places = pipeline.servers.kafka.publish(&pipeline.topic, vec![broken, tombstone]).await?;
    let consumer = pipeline.start_consumer().await?;
    assert_eq!(pipeline.verify().await?.dead_letters, 2);
    pipeline.stop(&consumer).await?;
    let dlq = async |args: &[&str]| {
        pipeline.command("dlq").args(args.iter().copied()).run().await?.success()
    };

    let json: Value = serde_json::from_str(&dlq(&["list", "--format", "json"]).await?)?;
    let listed: Vec<_> = json
        .as_array()
        .context("an array")?
        .iter()
        .map(|one| (&one["offset"], &one["code"]))
        .collect();
    assert_eq!(listed.len(), 2, "{json}");
    assert_eq!((listed[0].0, listed[1].0), (&0.into(), &1.into()));
    assert_eq!(listed[1].1, "tombstone");
    assert_eq!(
        (&json[0]["topic"], &json[0]["partition"]),
        (&pipeline.topic.as_str().into(), &0.into())
    );
    let one: Value =
        serde_json::from_str(&dlq(&["list", "--format", "json", "--limit", "1"]).await?)?;
    assert_eq!(one.as_array().map(Vec::len), Some(1));

    let csv = dlq(&["list", "--format", "csv"]).await?;
    let head = csv.lines().next().context("a head")?;
    assert_eq!(head, "topic,partition,offset,first_seen,attempts,code,error,resolution");
    assert!(csv.contains(",tombstone,"), "{csv}");
    let table = dlq(&["list"]).await?;
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(!table.contains('\u{1b}'), "{table:?}");

    let place = |at: &Acknowledged| format!("{}:{}:{}", pipeline.topic, at.partition, at.offset);
    let shown: Value =
        serde_json::from_str(&dlq(&["show", &place(&places[0]), "--format", "json"]).await?)?;
    assert_eq!(shown["key"], "the key");
    assert_eq!(shown["value"], "{\"a\":\\xff, \"b\"\n");
    assert_eq!(shown["headers"][0]["value"], "\\x1b[31m,\"quoted\"");
    assert_eq!(shown["headers"][1]["value"], "");
    assert_eq!(shown["code"], json[0]["code"]);
    let page = dlq(&["show", &place(&places[0])]).await?;
    assert!(page.contains("the key") && page.contains("value_bytes: 12"), "{page}");
    assert!(!page.contains('\u{1b}'), "{page:?}");
    let page = dlq(&["show", &place(&places[1])]).await?;
    assert!(page.contains("tombstone") && page.contains("value_bytes: none"), "{page}");

    let resolve = "UPDATE audit_dead_letter SET resolution = 'discarded', resolved_at = now(), \
                   resolved_by = 'somebody', resolution_reason = 'a test' WHERE \"offset\" = 0";
    let client = pipeline.servers.postgres.connect(&pipeline.database).await?;
    client.batch_execute(resolve).await?;
    let open: Value = serde_json::from_str(&dlq(&["list", "--format", "json"]).await?)?;
    assert_eq!((open.as_array().map(Vec::len), &open[0]["code"]), (Some(1), &"tombstone".into()));
    let all: Value = serde_json::from_str(&dlq(&["list", "--all", "--format", "json"]).await?)?;
    assert_eq!(all[0]["resolution"], "discarded");
    client.batch_execute(&resolve.replace("\"offset\" = 0", "true")).await?;
    assert_eq!(dlq(&["list"]).await?, "no open dead letters\n");
    assert_eq!(dlq(&["list", "--format", "json"]).await?.trim(), "[]");
    Ok(())
}
