//! `audit-producer topic` on a real broker.

use anyhow::Result;
use audit_tests::{
    binary::{Binary, Output},
    shared,
};

#[tokio::test]
async fn a_topic_is_created_as_needed_and_every_difference_is_found() -> Result<()> {
    let kafka = shared::kafka().await?;
    let topic = shared::unique("created");
    let create = ["create", "--partitions", "3", "--replication-factor", "1"];

    let missing = run(&topic, &["check"]).await?;
    assert_eq!(missing.code, Some(1), "{}", missing.stderr);
    assert!(missing.stderr.contains("topic create"), "{}", missing.stderr);

    let created = run(&topic, &create).await?.success()?;
    assert_eq!(created.trim_end(), format!("created {topic}: 3 partitions, replication factor 1"));
    assert_eq!(kafka.partitions(&topic).await?, 3);
    run(&topic, &["check"]).await?.success()?;
    run(&topic, &create).await?.success()?;

    let wider = ["create", "--partitions", "6", "--replication-factor", "1"];
    let other = run(&topic, &wider).await?;
    assert_eq!(other.code, Some(3), "{}", other.stderr);
    assert!(differing(&other.stdout) == ["partitions"], "{}", other.stdout);
    assert_eq!(kafka.partitions(&topic).await?, 3, "what is there is not changed");

    let settings = [("message.timestamp.type", "CreateTime"), ("retention.ms", "3600000")];
    kafka.alter_topic(&topic, &settings).await?;
    let changed = run(&topic, &["check"]).await?;
    assert_eq!(changed.code, Some(3), "{}", changed.stderr);
    assert_eq!(differing(&changed.stdout), ["message.timestamp.type", "retention.ms"]);
    let json = run(&topic, &["check", "--format", "json"]).await?;
    let rows: serde_json::Value = serde_json::from_str(&json.stdout)?;
    let wrong = rows.as_array().into_iter().flatten().filter(|row| row["ok"] == false);
    assert_eq!(wrong.count(), 2, "{rows}");
    Ok(())
}

async fn run(topic: &str, args: &[&str]) -> Result<Output> {
    Binary::new("audit-producer")
        .args(["topic"])
        .args(args.iter().copied())
        .env("AUDIT_BROKERS", shared::kafka().await?.bootstrap())
        .env("AUDIT_TOPIC", topic)
        .run()
        .await
}

fn differing(table: &str) -> Vec<&str> {
    let lines = table.lines().filter(|line| line.ends_with(" no"));
    lines.filter_map(|line| line.split_whitespace().next()).collect()
}
