//! Single executions: the one query for them, and how they are shown to people.

use audit_runtime::format::{Cell, Rows, TABLE_CELL, table};
use std::fmt::Write;

use serde_json::Value;
use serde_json::value::RawValue;

/// All there is about executions; a condition on `a` follows. Durations inside `step_executions` are nanoseconds.
/// Dead letters are found where the record's key is the id, as publishers make it.
const SELECT: &str = "
    SELECT
        a.id, a.remediation_id, a.workflow_name, a.workflow_version, a.status, a.outcome,
        a.total_steps, a.steps_completed, a.steps_failed, a.rollbacks_performed, a.effectiveness_score,
        extract(epoch FROM a.total_duration)::double precision AS total_duration_seconds,
        a.error_message, a.completed_at, a.created_at, a.ingested_at,
        encode(a.content_digest, 'hex') AS content_digest,
        a.source_topic, a.source_partition, a.source_offset, a.record_timestamp,
        a.extensions, a.step_executions, a.adaptive_adjustments,
        (
            SELECT coalesce(json_agg(json_build_object(
                'content_digest', encode(h.content_digest, 'hex'), 'source_topic', h.source_topic,
                'source_partition', h.source_partition, 'source_offset', h.source_offset,
                'record_timestamp', h.record_timestamp, 'superseded_at', h.superseded_at
            ) ORDER BY h.record_timestamp, h.source_partition, h.source_offset, h.content_digest), '[]')
            FROM workflow_execution_audit_history h WHERE h.id = a.id
        ) AS other_contents,
        (
            SELECT coalesce(json_agg(json_build_object(
                'topic', d.topic, 'partition', d.partition, 'offset', d.\"offset\",
                'record_timestamp', d.record_timestamp, 'code', d.error_code, 'resolution', d.resolution
            ) ORDER BY d.record_timestamp, d.topic, d.partition, d.\"offset\"), '[]')
            FROM audit_dead_letter d WHERE d.key = convert_to(a.id::text, 'UTF8')
        ) AS dead_letters
    FROM workflow_execution_audit a";

/// The members of JSON columns that people are shown, in this order.
const NESTED: [(&str, &[&str]); 4] = [
    (
        "step_executions",
        &["step_number", "action", "status", "duration", "retries_attempted", "error_message"],
    ),
    ("adaptive_adjustments", &["step_number", "adjustment_type", "reason", "timestamp"]),
    (
        "other_contents",
        &[
            "record_timestamp",
            "source_topic",
            "source_partition",
            "source_offset",
            "content_digest",
            "superseded_at",
        ],
    ),
    ("dead_letters", &["topic", "partition", "offset", "record_timestamp", "code", "resolution"]),
];

/// The query for the executions that a condition on `a` holds for.
pub(super) fn query(condition: &str) -> String {
    format!("{SELECT} {condition}")
}

/// A page for each execution.
pub(super) fn pages(executions: &Rows) -> anyhow::Result<String> {
    let mut pages = Vec::new();
    for execution in executions.objects() {
        let mut page = String::new();
        for (name, cell) in execution {
            let nested = NESTED.iter().find(|(column, _)| *column == name);
            match (cell, nested) {
                (Cell::Json(json), Some((_, members))) => {
                    let rows = nested_rows(json, members)?;
                    if !rows.rows.is_empty() {
                        write!(page, "\n{name}:\n{}", table(&rows))?;
                    }
                }
                (Cell::Null, _) => {}
                (cell, _) => writeln!(page, "{name}: {}", cell.line())?,
            }
        }
        pages.push(page);
    }
    Ok(pages.join("\n"))
}

/// An array of objects as rows. `duration`, in nanoseconds, becomes milliseconds.
fn nested_rows(json: &RawValue, members: &[&str]) -> serde_json::Result<Rows> {
    let objects: Vec<Value> = serde_json::from_str(json.get())?;
    let cell = |object: &Value, member: &str| match (member, object[member].as_f64()) {
        ("duration", Some(nanoseconds)) => Cell::Float(nanoseconds / 1e6),
        _ => Cell::from(&object[member]),
    };
    let columns = members.iter().map(|member| match *member {
        "duration" => "duration_ms".to_owned(),
        other => other.to_owned(),
    });
    Ok(Rows {
        columns: columns.collect(),
        rows: objects
            .iter()
            .map(|object| members.iter().map(|member| cell(object, member)).collect())
            .collect(),
        widest: TABLE_CELL,
    })
}
