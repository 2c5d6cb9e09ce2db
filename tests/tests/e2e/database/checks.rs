//! What the tables check in each row.

use anyhow::Result;
use audit_tests::{pipeline::Pipeline, postgres::connect};

/// A call would start an executor for each row: a tenth of what the row costs.
#[tokio::test]
async fn the_time_of_an_id_is_computed_without_a_call() -> Result<()> {
    let pipeline = Pipeline::shared("checks", 1).await?;
    let client = connect(&pipeline.database_url).await?;
    let sql = "EXPLAIN (VERBOSE, COSTS OFF) SELECT audit_id_time(id) FROM workflow_execution_audit";
    let plan = client.query(sql, &[]).await?;
    let plan: Vec<String> = plan.iter().map(|line| line.get(0)).collect();
    assert!(plan.iter().any(|line| line.contains("CASE")), "{plan:?}");
    assert!(!plan.iter().any(|line| line.contains("audit_id_time")), "{plan:?}");
    Ok(())
}
