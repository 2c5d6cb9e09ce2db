//! Single executions and remediations: every column as it was sent, what else was seen, what was refused.

use anyhow::{Context, Result};
use audit_schema::identity;
use audit_tests::{kafka::Record, pipeline::Pipeline};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::report;

const REMEDIATION: &str = "rr-\u{1b}[2J-7";

fn event(id: Uuid, members: &str) -> Record {
    let head = json!({
        "id": id, "remediation_id": REMEDIATION, "workflow_name": "w", "workflow_version": "v1",
    });
    let head = head.to_string();
    let body = head.trim_end_matches('}');
    Record::new(format!("{body},{members}}}")).with_key(id.to_string())
}

fn dated(time: &str) -> Result<Uuid> {
    let time: DateTime<Utc> = time.parse()?;
    Ok(identity::from_resource("cluster", time.to_rfc3339().as_str(), time))
}

async fn json(pipeline: &Pipeline<'_>, args: &[&str]) -> Result<Vec<Value>> {
    let args = [args, &["--format", "json"]].concat();
    Ok(serde_json::from_str(&report(pipeline, &args).await?.success()?)?)
}

#[tokio::test]
async fn an_execution_is_shown_with_all_that_is_known_of_it() -> Result<()> {
    let pipeline = Pipeline::shared("execution", 1).await?;
    let id = dated("2025-01-15T10:30:00.123Z")?;
    let text = id.to_string();
    let current = r#""outcome":"failed","total_steps":3,"steps_completed":1,"steps_failed":1,
        "total_duration":90061000001999,"effectiveness_score":0.30000000000000004,"rollbacks_performed":2,
        "step_executions":[
            {"step_number":1,"action":"drain\u001b[31m","duration":1500000,"status":"completed","retries_attempted":0},
            {"step_number":2,"duration":null,"status":"failed","error_message":"no\nquota","n":12345678901234567890.50}],
        "adaptive_adjustments":[{"step_number":2,"adjustment_type":"retry","reason":"5xx"}],
        "completed_at":"2025-01-15T10:31:00Z","status":"failed","error_message":"first\nsecond",
        "kubernetes":{"uid":"u","n":1e30}"#;
    let records = vec![
        event(id, r#""outcome":"success""#),
        event(id, r#""outcome":"partial""#),
        event(id, r#""outcome":"gone""#),
        event(id, current),
    ];
    let places = pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    let summary = pipeline.verify().await?;
    assert_eq!((summary.ids, summary.history, summary.dead_letters), (1, 2, 1));
    pipeline.stop(&consumer).await?;

    let found = json(&pipeline, &["execution", &text]).await?;
    let [found] = found.as_slice() else { panic!("{found:?}") };
    let record_time = |at: usize| {
        let time = DateTime::from_timestamp_millis(places[at].timestamp_ms);
        time.map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    };
    let same_time = |value: &Value, at: usize| -> Result<bool> {
        let time: DateTime<Utc> = value.as_str().context("a time")?.parse()?;
        Ok(time.timestamp_millis() == places[at].timestamp_ms)
    };
    for (column, expected) in [
        ("id", json!(id)),
        ("remediation_id", json!(REMEDIATION)),
        ("outcome", json!("failed")),
        ("total_steps", json!(3)),
        ("steps_completed", json!(1)),
        ("steps_failed", json!(1)),
        ("rollbacks_performed", json!(2)),
        ("effectiveness_score", json!(0.300_000_000_000_000_04)),
        ("total_duration_seconds", json!(90_061.000_001)),
        ("error_message", json!("first\nsecond")),
        ("completed_at", json!("2025-01-15T10:31:00Z")),
        ("created_at", json!("2025-01-15T10:30:00.123Z")),
        ("source_topic", json!(pipeline.topic)),
        ("source_partition", json!(0)),
        ("source_offset", json!(places[3].offset)),
        ("record_timestamp", json!(record_time(3))),
    ] {
        assert_eq!(found[column], expected, "{column}");
    }
    assert_eq!(found["step_executions"][0]["duration"], 1_500_000);
    assert_eq!(found["step_executions"][0]["action"], "drain\u{1b}[31m");
    let others = found["other_contents"].as_array().context("an array")?;
    assert_eq!(others.len(), 2, "{others:?}");
    for (at, other) in others.iter().enumerate() {
        assert_eq!(other["source_offset"], places[at].offset);
        assert!(same_time(&other["record_timestamp"], at)?, "{other}");
        assert_eq!(other["content_digest"].as_str().map(str::len), Some(64));
        assert_ne!(other["content_digest"], found["content_digest"]);
    }
    let letters = found["dead_letters"].as_array().context("an array")?;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(
        (&letters[0]["offset"], &letters[0]["code"]),
        (&json!(2), &json!("invalid_outcome"))
    );
    assert_eq!(letters[0]["resolution"], Value::Null);

    // No digit is lost, in JSON or in CSV.
    let text_of = async |format: &str| {
        report(&pipeline, &["execution", &text, "--format", format]).await?.success()
    };
    assert!(text_of("json").await?.contains("12345678901234567890.50"));
    let csv = text_of("csv").await?;
    assert!(csv.contains("12345678901234567890.50") && csv.contains("first\nsecond"), "{csv}");

    let page = text_of("table").await?;
    assert!(page.chars().all(|c| c == '\n' || !c.is_control()), "{page:?}");
    for line in ["error_message: first\\nsecond", "total_duration_seconds: 90061.000001"] {
        assert!(page.lines().any(|found| found == line), "{line:?} is not in {page}");
    }
    let step = page.lines().find(|line| line.contains("drain")).context("the step")?;
    assert_eq!(
        step.split_whitespace().collect::<Vec<_>>(),
        ["1", "drain\\u{1b}[31m", "completed", "1.500", "0", "-"]
    );
    Ok(())
}

#[tokio::test]
async fn a_remediation_is_its_executions_in_order() -> Result<()> {
    let pipeline = Pipeline::shared("remediation", 2).await?;
    let third = dated("2025-03-01T00:00:00Z")?;
    let first = dated("2025-01-31T23:59:59.999Z")?;
    // Its time comes from the event, and is the same as the one above.
    let second = Uuid::from_u128(u128::MAX);
    let at = r#""outcome":"success","completed_at":"2025-01-31T23:59:59.999Z","step_executions":[{"action":"a"}]"#;
    let records = vec![
        event(third, r#""outcome":"success""#),
        event(second, at),
        event(first, r#""outcome":"failed""#),
        Record::new(
            r#"{"remediation_id":"rr-8","workflow_name":"w","workflow_version":"v","outcome":"success"}"#,
        ),
    ];
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    assert_eq!(pipeline.verify().await?.ids, 4);
    pipeline.stop(&consumer).await?;

    let ids = |found: &[Value]| found.iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    let found = json(&pipeline, &["remediation", REMEDIATION]).await?;
    assert_eq!(ids(&found), [json!(first), json!(second), json!(third)]);
    assert_eq!(found[1]["step_executions"], json!([{"action": "a"}]));
    let limited = json(&pipeline, &["remediation", REMEDIATION, "--limit", "2"]).await?;
    assert_eq!(limited, found[..2]);
    assert_eq!(json(&pipeline, &["execution", &second.to_string()]).await?, found[1..2]);

    let output = report(&pipeline, &["remediation", REMEDIATION]).await?;
    assert!(output.stdout.chars().all(|c| c == '\n' || !c.is_control()), "{}", output.stdout);
    assert_eq!(output.stdout.matches("remediation_id: ").count(), 3);
    assert!(output.stderr.contains("executions: 3"), "{}", output.stderr);

    // An execution whose record got its time from the log.
    let undated = json(&pipeline, &["remediation", "rr-8"]).await?;
    let id = undated[0]["id"].as_str().context("an id")?;
    assert_eq!(json(&pipeline, &["execution", id]).await?, undated);
    assert_eq!(undated[0]["created_at"], undated[0]["record_timestamp"]);
    Ok(())
}
