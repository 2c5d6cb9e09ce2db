//! Label values that come from events: escaped, bounded, and nobody else's trouble.

use anyhow::Result;
use audit_tests::{kafka::Record, pipeline::Pipeline};
use serde_json::json;

use super::reaches;

const STEPS: &str = "kubernaut_workflow_step_executions_total";

#[tokio::test]
async fn odd_names_come_through_a_scrape() -> Result<()> {
    let pipeline = Pipeline::shared("labels", 1).await?;
    let odd = ["", "a\"b\\c\nd", "tab\tbell\u{7}\u{1b}[0m\r", "größe-作业-🚀", "}", "x=\"1\",y"];
    let long = "x".repeat(100_000);
    let record = |value: &str| {
        let event = json!({
            "remediation_id": "r", "workflow_name": &value[..value.len().min(255)],
            "workflow_version": "v", "outcome": "success", "total_duration": 1, "effectiveness_score": 1,
            "step_executions": [{ "action": value, "status": value }],
        });
        Record::new(event.to_string())
    };
    let records: Vec<Record> = odd.iter().copied().chain([&*long]).map(record).collect();
    let count = f64::from(u8::try_from(records.len())?);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    reaches(&consumer, STEPS, &[], count).await?;

    let scrape = consumer.exposition().await?;
    let steps = &scrape[STEPS].samples;
    for value in odd {
        let found = steps.iter().find(|sample| sample.labels["action"] == value);
        let labels = &found.unwrap_or_else(|| panic!("{value:?} is not in {steps:?}")).labels;
        assert_eq!((&*labels["workflow_name"], &*labels["status"]), (value, value));
    }
    let other = steps.iter().find(|sample| sample.labels["action"] == "_other");
    assert!(other.is_some_and(|sample| sample.labels["status"] == "_other"), "{steps:?}");
    let longest = steps.iter().flat_map(|sample| sample.labels.values()).map(String::len).max();
    assert_eq!(longest, Some(255), "a workflow's name as long as its column");
    pipeline.verify().await?;
    pipeline.stop(&consumer).await
}
