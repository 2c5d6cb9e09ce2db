//! Partitions that do not hold what they should.

use anyhow::{Context, Result};
use audit_tests::pipeline::Pipeline;

use super::{PARTITIONS, Verdict, stored};

const SEED: u64 = 0x0A0D_1131;

#[tokio::test]
async fn a_partition_without_its_check_and_with_rows_of_another_month() -> Result<()> {
    let pipeline = Pipeline::shared("bounds", PARTITIONS).await?;
    stored(&pipeline, SEED, 40).await?;
    let superuser = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let sql = "SELECT c.relname::text, pg_get_expr(c.relpartbound, c.oid), \
               pg_get_constraintdef((SELECT k.oid FROM pg_constraint k WHERE conrelid = c.oid AND conname = 'bounds')) \
               FROM workflow_execution_audit a JOIN pg_class c ON c.oid = a.tableoid \
               JOIN audit_id USING (id) WHERE c.relname NOT LIKE '%default' LIMIT 1";
    let row = superuser.query_one(sql, &[]).await?;
    let (partition, bounds, check): (String, String, String) = (row.get(0), row.get(1), row.get(2));

    superuser.batch_execute(&format!("ALTER TABLE {partition} DROP CONSTRAINT bounds")).await?;
    let verdict = Verdict::of_tables(&pipeline).await?;
    verdict.has(&["partition", &partition, "has no CHECK"]).context("CHECK")?;
    assert_eq!(verdict.report["problems"], 1, "{verdict:#?}");

    // The server believes a CHECK that says it was validated, and does not look when the partition comes back.
    superuser
        .batch_execute(&format!(
            "ALTER TABLE workflow_execution_audit DETACH PARTITION {partition}; \
             UPDATE {partition} SET created_at = created_at - interval '40 years' \
             WHERE id = (SELECT id FROM {partition} JOIN audit_id USING (id) LIMIT 1); \
             ALTER TABLE {partition} ADD CONSTRAINT bounds {check} NOT VALID; \
             UPDATE pg_constraint SET convalidated = true WHERE conrelid = '{partition}'::regclass; \
             ALTER TABLE workflow_execution_audit ATTACH PARTITION {partition} {bounds}"
        ))
        .await?;
    let verdict = Verdict::of_tables(&pipeline).await?;
    verdict.has(&["partition", &partition, "has rows that are not from"])
}
