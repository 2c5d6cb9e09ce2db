//! What all of it is stored for, and what was refused: views of the database, a few rows each.

use anyhow::Result;
use audit_tests::screen::Screen;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::{stage::Stage, table::table};

/// A heading and what to select.
const REPORTS: [(&str, &str); 5] = [
    (
        "Most effective workflows of the last 30 days (audit_effective_workflows)",
        "SELECT workflow_name AS workflow, execution_count AS executions, round(avg_effectiveness::numeric, 3) AS effectiveness,
            round(avg_steps::numeric, 1) AS steps, round(avg_duration_seconds::numeric) AS seconds
        FROM audit_effective_workflows LIMIT 3",
    ),
    (
        "Workflows that fail most, last 7 days (audit_needs_optimization)",
        "SELECT workflow_name AS workflow, failure_count AS failures, round(avg_failed_steps::numeric, 1) AS failed_steps,
            cardinality(error_patterns) AS errors, left(error_patterns[cardinality(error_patterns)], 48) || '..' AS one_of_them
        FROM audit_needs_optimization LIMIT 3",
    ),
    (
        "Slowest steps, last 7 days (audit_slow_steps)",
        "SELECT workflow_name AS workflow, action_type AS action, execution_count AS executions,
            round(avg_duration_ms::numeric) AS avg_ms, round(p95_duration_ms::numeric) AS p95_ms
        FROM audit_slow_steps LIMIT 3",
    ),
    (
        "Steps that are tried again, last 7 days (audit_retry_patterns)",
        "SELECT action_type AS action, round(avg_retries::numeric, 2) AS avg_retries, total_executions AS executions, failures
        FROM audit_retry_patterns LIMIT 3",
    ),
    (
        "Adjustments, last 30 days (audit_adjustments)",
        "SELECT adjustment_type AS adjustment, reason, frequency FROM audit_adjustments LIMIT 3",
    ),
];

const DEAD_LETTERS: &str = "
    SELECT partition, \"offset\", error_code AS code,
        left(error_text, 64) || CASE WHEN length(error_text) > 64 THEN '..' ELSE '' END AS reason
    FROM (SELECT DISTINCT ON (error_code) * FROM audit_dead_letter ORDER BY error_code, partition, \"offset\") kinds
    ORDER BY first_seen, error_code LIMIT 6";

pub(crate) async fn print(stage: &Stage, screen: &Screen) -> Result<()> {
    let database = stage.database().await?;
    for (heading, sql) in REPORTS {
        screen.say(format!("\n{heading}"))?;
        screen.say(selected(&database, sql).await?)?;
    }
    screen.say("\nDead letters, one each of some kinds (audit-consumer dlq list shows all)")?;
    screen.say(selected(&database, DEAD_LETTERS).await?)
}

async fn selected(database: &Client, sql: &str) -> Result<String> {
    let mut header = Vec::new();
    let mut rows = Vec::new();
    for message in database.simple_query(sql).await? {
        if let SimpleQueryMessage::Row(row) = message {
            header = row.columns().iter().map(|column| column.name().replace('_', " ")).collect();
            let cells = (0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned());
            rows.push(cells.collect());
        }
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    Ok(table(&header, &rows))
}
