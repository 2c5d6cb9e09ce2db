//! The shapes a resource can have. Each is one file: which resources have it, when they are finished, and what its
//! fields mean. A third shape is one more file, and its line in [`Shape::ALL`].

mod kubernaut;
mod steps;

use audit_schema::event::WorkflowExecutionAudit;
use chrono::{DateTime, Utc};
use kube::api::DynamicObject;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::problem::Problem;

/// How to read a resource.
pub(super) struct Shape {
    /// Its name in `--shape`.
    pub(super) name: &'static str,
    is_that_of: fn(&DynamicObject) -> bool,
    /// The phases after which nothing more happens.
    last_phases: [&'static str; 2],
    /// The field of the status that says when the execution ended.
    ended_at: &'static str,
    read: fn(&DynamicObject) -> Result<Execution, serde_json::Error>,
}

/// What a resource says of its execution, without what every resource says alike.
#[derive(Debug)]
pub(super) struct Execution {
    /// Without id, duration and origin.
    pub(super) event: WorkflowExecutionAudit,
    pub(super) started_at: Option<DateTime<Utc>>,
    /// What was odd and is published nevertheless.
    pub(super) problems: Vec<Problem>,
}

impl Shape {
    const ALL: [&Self; 2] = [&kubernaut::SHAPE, &steps::SHAPE];

    /// The names of all shapes.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|shape| shape.name)
    }

    /// The shape of that name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|shape| shape.name == name)
    }

    /// The shape that the resource's own fields tell.
    pub(super) fn of(resource: &DynamicObject) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|shape| (shape.is_that_of)(resource))
    }

    /// Whether the execution has ended: by its phase, or because its status says when.
    fn has_ended(&self, resource: &DynamicObject) -> bool {
        let status = &resource.data["status"];
        let phase = status["phase"].as_str();
        phase.is_some_and(|phase| self.last_phases.contains(&phase))
            || !status[self.ended_at].is_null()
    }

    /// What the resource says.
    ///
    /// # Errors
    /// A field has another type than its shape gives it.
    pub(super) fn read(&self, resource: &DynamicObject) -> Result<Execution, serde_json::Error> {
        (self.read)(resource)
    }
}

/// Whether the execution has ended, as its shape tells, or any shape if it has none.
pub(super) fn has_ended(shape: Option<&Shape>, resource: &DynamicObject) -> bool {
    match shape {
        Some(shape) => shape.has_ended(resource),
        None => Shape::ALL.iter().any(|shape| shape.has_ended(resource)),
    }
}

/// Like Go's JSON decoder: what is absent or null is the zero value.
fn or_zero<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A part of the resource as the types of a shape.
fn part<T: Default + DeserializeOwned>(
    resource: &DynamicObject,
    name: &str,
) -> Result<T, serde_json::Error> {
    match &resource.data[name] {
        Value::Null => Ok(T::default()),
        value => T::deserialize(value),
    }
}

/// The score by the seed's formula: what share of the steps completed, less a twentieth for each retry and a tenth for
/// each rollback, from 0 to 1. Without steps it is 0.
fn score(completed: i32, total: i32, retries: i64, rollbacks: i32) -> f64 {
    if total == 0 {
        return 0.0;
    }
    // Exact: far fewer than 2^53.
    #[expect(clippy::cast_precision_loss, reason = "nobody retries 2^53 times")]
    let retry_penalty = retries as f64 * 0.05;
    let rollback_penalty = f64::from(rollbacks) * 0.10;
    (f64::from(completed) / f64::from(total) - retry_penalty - rollback_penalty).clamp(0.0, 1.0)
}

/// In nanoseconds; none unless both times are there, and none that 64 bits cannot hold.
pub(super) fn duration(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Option<i64> {
    to?.signed_duration_since(from?).num_nanoseconds()
}

/// A number of things as the table holds it.
fn count(things: usize) -> i32 {
    i32::try_from(things).unwrap_or(i32::MAX)
}
