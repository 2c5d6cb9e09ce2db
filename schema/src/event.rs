//! Owned event types, for those who make events.
//!
//! The JSON they serialise to is what Go controllers send. Reading is the business of
//! [`crate::decode`]; deserialising these types forgives more and checks less.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

#[cfg(test)]
use crate::json_schema;

/// Go's zero `time.Time` in JSON: no time.
pub const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// The event as JSON Schema (2020-12): what of the rules can be said there.
pub const JSON_SCHEMA: &str = include_str!("../workflow-execution-audit.schema.json");

/// The audit of one finished workflow execution.
///
/// ```
/// use audit_schema::decode::Decoder;
/// use audit_schema::event::{Outcome, WorkflowExecutionAudit};
///
/// let mut audit = WorkflowExecutionAudit::new("rem-1", "restart-pod", "v1", Outcome::Success);
/// audit.total_steps = Some(3);
///
/// let value = serde_json::to_vec(&audit)?;
/// let mut decoder = Decoder::default();
/// assert_eq!(decoder.decode(&value)?.columns.total_steps, Some(3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(description = "The audit of one finished workflow execution."))]
pub struct WorkflowExecutionAudit {
    /// The event's id. Publishers give one to an event that has none.
    #[serde(default, deserialize_with = "empty_is_none", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(schema_with = "json_schema::id"))]
    pub id: Option<Uuid>,
    /// The remediation request that asked for the execution.
    #[cfg_attr(test, schemars(length(max = 255)))]
    pub remediation_id: String,
    /// The workflow that ran.
    #[cfg_attr(test, schemars(length(max = 255)))]
    pub workflow_name: String,
    /// The version of the workflow that ran.
    #[cfg_attr(test, schemars(length(max = 50)))]
    pub workflow_version: String,

    /// How many steps the workflow has; none if it failed before they were known.
    #[serde(default)]
    #[cfg_attr(test, schemars(range(min = 0)))]
    pub total_steps: Option<i32>,
    /// How many steps completed.
    #[serde(default)]
    #[cfg_attr(test, schemars(range(min = 0)))]
    pub steps_completed: Option<i32>,
    /// How many steps failed.
    #[serde(default)]
    #[cfg_attr(test, schemars(range(min = 0)))]
    pub steps_failed: Option<i32>,
    /// Nanoseconds, as Go's `time.Duration`; stored in whole microseconds.
    #[serde(default)]
    pub total_duration: Option<i64>,

    /// How the execution ended.
    pub outcome: Outcome,
    /// How well the workflow did, from 0 to 1.
    #[serde(default)]
    #[cfg_attr(test, schemars(range(min = 0.0, max = 1.0)))]
    pub effectiveness_score: Option<f64>,
    /// How many steps were rolled back.
    #[serde(default)]
    #[cfg_attr(test, schemars(range(min = 0)))]
    pub rollbacks_performed: Option<i32>,

    /// What each step did.
    #[serde(default)]
    pub step_executions: Option<Vec<StepExecutionAudit>>,
    /// How the workflow was changed while it ran.
    #[serde(default)]
    pub adaptive_adjustments: Option<Vec<AdaptiveAdjustment>>,

    /// When the execution ended, stored in whole microseconds; Go's zero time is none.
    #[serde(default, deserialize_with = "zero_time_is_none")]
    #[cfg_attr(test, schemars(schema_with = "json_schema::time"))]
    pub completed_at: Option<DateTime<Utc>>,
    /// The resource's phase.
    #[serde(default)]
    #[cfg_attr(test, schemars(length(max = 50)))]
    pub status: Option<String>,
    /// Why the execution failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,

    /// Every other top-level field. Must not hold the names of the fields above.
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

impl WorkflowExecutionAudit {
    /// An event with what every event must have, and nothing else.
    #[must_use]
    pub fn new(
        remediation_id: impl Into<String>,
        workflow_name: impl Into<String>,
        workflow_version: impl Into<String>,
        outcome: Outcome,
    ) -> Self {
        Self {
            id: None,
            remediation_id: remediation_id.into(),
            workflow_name: workflow_name.into(),
            workflow_version: workflow_version.into(),
            total_steps: None,
            steps_completed: None,
            steps_failed: None,
            total_duration: None,
            outcome,
            effectiveness_score: None,
            rollbacks_performed: None,
            step_executions: None,
            adaptive_adjustments: None,
            completed_at: None,
            status: None,
            error_message: None,
            extensions: Map::new(),
        }
    }
}

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every step was done.
    Success,
    /// The execution failed.
    Failed,
    /// It ended in between.
    Partial,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failed, Self::Partial];

    /// The name in events and in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Partial => "partial",
        }
    }
}

/// What one step did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct StepExecutionAudit {
    /// The step's place in the workflow.
    #[serde(deserialize_with = "null_is_default")]
    #[cfg_attr(test, schemars(with = "Option<i32>"))]
    pub step_number: i32,
    /// What the step does.
    #[serde(deserialize_with = "null_is_default")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub action: String,
    /// Nanoseconds.
    pub duration: Option<i64>,
    /// The step's phase.
    #[serde(deserialize_with = "null_is_default")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub status: String,
    /// How often the step was tried again.
    #[serde(deserialize_with = "null_is_default")]
    #[cfg_attr(test, schemars(with = "Option<i32>"))]
    pub retries_attempted: i32,
    /// Why the step failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// How a workflow was changed while it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct AdaptiveAdjustment {
    /// The step that was changed.
    #[serde(deserialize_with = "null_is_default")]
    #[cfg_attr(test, schemars(with = "Option<i32>"))]
    pub step_number: i32,
    /// `timeout`, `retry`, `skip`, or another kind.
    #[serde(deserialize_with = "null_is_default")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub adjustment_type: String,
    /// Why.
    #[serde(deserialize_with = "null_is_default")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub reason: String,
    /// When; none is sent as Go's zero time.
    #[serde(deserialize_with = "zero_time_is_none", serialize_with = "none_is_zero_time")]
    #[cfg_attr(test, schemars(schema_with = "json_schema::time"))]
    pub timestamp: Option<DateTime<Utc>>,
}

fn empty_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Uuid>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

fn zero_time_is_none<'de, D>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error>
where
    D: Deserializer<'de>,
{
    let time = Option::<DateTime<Utc>>::deserialize(deserializer)?;
    let is_zero =
        |time: &DateTime<Utc>| time.timestamp_micros() == crate::timestamp::ZERO_TIME_MICROS;
    Ok(time.filter(|time| !is_zero(time)))
}

fn none_is_zero_time<S>(time: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error>
where
    S: Serializer,
{
    match time {
        Some(time) => time.serialize(serializer),
        None => serializer.serialize_str(ZERO_TIME),
    }
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
