//! Label values are bounded however events are made up.

use audit_schema::decode::Decoder;
use prometheus::{Encoder, Registry, TextEncoder};
use serde_json::json;

use super::super::cap::MAX_VALUES;
use super::*;

/// Two lanes over the same metrics.
struct Lanes {
    registry: Registry,
    lanes: [EventSeries; 2],
}

impl Lanes {
    fn new() -> Self {
        let registry = Registry::new();
        let metrics = EventMetrics::register(&registry).unwrap();
        let lanes = [EventSeries::new(metrics.clone()), EventSeries::new(metrics)];
        Self { registry, lanes }
    }

    /// Both lanes see an event of the workflow with one step.
    fn see(&mut self, workflow: &str, action: &str, status: &str) {
        let event = json!({
            "remediation_id": "r", "workflow_name": workflow, "workflow_version": "v", "outcome": "success",
            "total_duration": 1_000_000_000_i64, "effectiveness_score": 0.5,
            "step_executions": [{ "action": action, "status": status }],
        });
        let value = serde_json::to_vec(&event).unwrap();
        let mut decoder = Decoder::default();
        let event = decoder.decode(&value).unwrap();
        for lane in &mut self.lanes {
            let observation = lane.observe(&event);
            lane.metrics.record([&observation].into_iter());
        }
    }

    /// How many series each of the three metrics has, and how often each was counted.
    fn series(&self) -> [(usize, f64); 3] {
        let families = self.registry.gather();
        ["duration_seconds", "effectiveness_score", "step_executions_total"].map(|name| {
            let family = families.iter().find(|family| family.name().ends_with(name)).unwrap();
            let counted = family.get_metric().iter().map(|metric| {
                metric.get_counter().get_value() + metric.get_histogram().get_sample_sum()
            });
            (family.get_metric().len(), counted.sum())
        })
    }

    fn text(&self) -> String {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    /// Entries of the lanes' own tables.
    fn remembered(&self) -> usize {
        let workflows = self.lanes.iter().flat_map(|lane| lane.workflows.values());
        workflows.map(|workflow| 1 + workflow.steps.values().map(HashMap::len).sum::<usize>()).sum()
    }
}

#[test]
fn made_up_workflows_share_a_series_past_the_bound() {
    let mut lanes = Lanes::new();
    let events = MAX_VALUES + 500;
    for number in 0..events {
        lanes.see(&format!("workflow-{number}"), "drain", "completed");
    }
    // By two lanes; a duration is one second.
    let counted = 5_000.0;
    let [durations, scores, steps] = lanes.series();
    assert_eq!(durations, (MAX_VALUES + 1, counted));
    assert_eq!(scores.0, MAX_VALUES + 1);
    assert_eq!(steps, (MAX_VALUES + 1, counted));
    // However many lanes see a workflow, it takes one place.
    assert!(lanes.text().contains(&format!("workflow_name=\"workflow-{}\"", MAX_VALUES - 1)));
}

#[test]
fn made_up_actions_and_statuses_share_a_series_past_the_bound() {
    let mut lanes = Lanes::new();
    let events = MAX_VALUES + 500;
    for number in 0..events {
        lanes.see("one", &format!("action-{number}"), &format!("status-{number}"));
    }
    let [.., steps] = lanes.series();
    assert_eq!(steps, (MAX_VALUES + 1, 5_000.0));
    assert!(lanes.remembered() <= 2 * (MAX_VALUES + 1), "{}", lanes.remembered());
    let places = lanes.lanes[0].metrics.series().steps.len();
    assert!(places <= 2 * (MAX_VALUES + 1), "{places}");
}

#[test]
fn values_are_text_as_they_came() {
    let mut lanes = Lanes::new();
    let long = "x".repeat(100_000);
    for value in ["", "a\"b\\c\nd", "tab\tbell\u{7}del\u{7f}\r", "größe-作业-🚀", &long] {
        lanes.see("odd", value, value);
    }
    let text = lanes.text();
    for line in [
        r#"{action="",status="",workflow_name="odd"} 2"#,
        r#"{action="a\"b\\c\nd",status="a\"b\\c\nd",workflow_name="odd"} 2"#,
        "{action=\"tab\tbell\u{7}del\u{7f}\r\",status=\"tab\tbell\u{7}del\u{7f}\r\",workflow_name=\"odd\"} 2",
        "{action=\"größe-作业-🚀\",status=\"größe-作业-🚀\",workflow_name=\"odd\"} 2",
        r#"{action="_other",status="_other",workflow_name="odd"} 2"#,
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(text.len() < 10_000, "{}", text.len());
}
