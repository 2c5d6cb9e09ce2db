//! A report reads only the months of its window, whatever the table holds.

use anyhow::Result;
use audit_tests::pipeline::Pipeline;
use tokio_postgres::SimpleQueryMessage;

use super::recompute::SUMMARIES;

/// Also with a plan made for any window: that of a session that asks often.
#[tokio::test]
async fn windows_leave_partitions_out() -> Result<()> {
    let pipeline = Pipeline::shared("plans", 1).await?;
    let database = pipeline.servers.postgres.connect(&pipeline.database).await?;
    database
        .batch_execute("SELECT audit_add_partition(make_date(2025, month, 1)) FROM generate_series(1, 4) month")
        .await?;
    for mode in ["force_custom_plan", "force_generic_plan"] {
        for summary in &SUMMARIES {
            let function = summary.view;
            let sql = format!(
                "DEALLOCATE ALL; SET plan_cache_mode = {mode};
                PREPARE report AS SELECT * FROM {function}($1, $2, $3) LIMIT $4;
                EXPLAIN (COSTS off) EXECUTE report('2025-02-03', '2025-02-28', NULL, 10)"
            );
            let messages = database.simple_query(&sql).await?;
            let lines = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            let plan = lines.collect::<Vec<_>>().join("\n");
            assert!(plan.contains("workflow_execution_audit_2025_02"), "{mode} {function}: {plan}");
            for other in ["2025_01", "2025_03", "_default", "Function Scan on audit"] {
                assert!(!plan.contains(other), "{mode} {function} reads {other}: {plan}");
            }
        }
    }
    Ok(())
}
