//! The content of an event as the table's columns hold it.

/// What the content columns of `workflow_execution_audit` hold; the id, `created_at` and the columns
/// that say where a row came from are not content.
///
/// Two events with equal columns (JSON columns compared as JSON) are the same content, whatever
/// their encoding was. `None` is SQL NULL.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Columns<'a> {
    /// At most 255 characters; may be empty.
    pub remediation_id: &'a str,
    /// At most 255 characters; may be empty.
    pub workflow_name: &'a str,
    /// At most 50 characters; may be empty.
    pub workflow_version: &'a str,
    /// Not negative.
    pub total_steps: Option<i32>,
    /// Not negative.
    pub steps_completed: Option<i32>,
    /// Not negative.
    pub steps_failed: Option<i32>,
    /// Microseconds, truncated toward zero; the event has nanoseconds.
    pub total_duration: Option<i64>,
    /// `success`, `failed` or `partial`.
    pub outcome: &'a str,
    /// From 0 to 1; never negative zero.
    pub effectiveness_score: Option<f64>,
    /// Not negative.
    pub rollbacks_performed: Option<i32>,
    /// A JSON array of objects, as it came.
    pub step_executions: Option<&'a str>,
    /// A JSON array of objects, as it came.
    pub adaptive_adjustments: Option<&'a str>,
    /// Microseconds since the Unix epoch, truncated toward the past.
    pub completed_at: Option<i64>,
    /// At most 50 characters; may be empty.
    pub status: Option<&'a str>,
    /// Bounded by the size of the event only; may be empty.
    pub error_message: Option<&'a str>,
    /// A JSON object of the event's unknown top-level fields, each as it came; never an empty object.
    pub extensions: Option<&'a str>,
}
