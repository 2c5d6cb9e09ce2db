//! What can be wrong with our tables.

use anyhow::Result;
use audit_tests::{pipeline::Pipeline, shared};
use chrono::{Months, Utc};

use super::Report;
use crate::database::roles;

#[tokio::test]
async fn not_migrated() -> Result<()> {
    let pipeline = Pipeline::shared("doctor_empty", 1).await?;
    let url = pipeline.servers.postgres.create_database(&shared::unique("doctor_bare")).await?;
    let report = Report::of(&pipeline, &[("AUDIT_DATABASE_URL", &url)]).await?;
    report.has("schema", "bad", &["no audit schema", "run `audit-consumer migrate`"])?;
    for check in ["rights", "partitions", "stream"] {
        report.has(check, "skipped", &["no schema"])?;
    }
    Ok(())
}

#[tokio::test]
async fn another_schema_version() -> Result<()> {
    let postgres = roles::server().await?;
    let pipeline = roles::pipeline(&postgres, "doctor_version", 1).await?;
    let superuser = postgres.connect(&pipeline.database).await?;
    superuser.batch_execute("UPDATE audit_schema_support SET oldest_binary = 99").await?;
    let report = Report::of(&pipeline, &[]).await?;
    report.has("schema", "bad", &["99", "use a newer binary"])?;
    let older = "DELETE FROM refinery_schema_history WHERE version > 5";
    superuser.batch_execute(older).await?;
    let report = Report::of(&pipeline, &[]).await?;
    report.has("schema", "bad", &["version 5", "run `audit-consumer migrate`"])
}

#[tokio::test]
async fn too_few_rights_and_too_many() -> Result<()> {
    let postgres = roles::server().await?;
    let pipeline = roles::pipeline(&postgres, "doctor_rights", 1).await?;
    let reader = roles::url(&postgres, roles::READER, &pipeline.database);
    let report = Report::of(&pipeline, &[("AUDIT_DATABASE_URL", &reader)]).await?;
    report.only("rights", "bad", &["INSERT on audit_batch", "member of audit_writer"])?;

    let superuser = postgres.url(&pipeline.database);
    let report = Report::of(&pipeline, &[("AUDIT_DATABASE_URL", &superuser)]).await?;
    report.only("rights", "warning", &["is a superuser", "docs/database-roles.md"])?;
    let migrator = roles::url(&postgres, roles::MIGRATOR, &pipeline.database);
    let report = Report::of(&pipeline, &[("AUDIT_DATABASE_URL", &migrator)]).await?;
    report.has("rights", "bad", &["TEMPORARY on the database"])?;

    let client = postgres.connect(&pipeline.database).await?;
    client.batch_execute(&format!("GRANT audit_owner TO {}", roles::WRITERS[0])).await?;
    Report::of(&pipeline, &[]).await?.only("rights", "warning", &["owns the tables"])?;
    client.batch_execute(&format!("REVOKE audit_owner FROM {}", roles::WRITERS[0])).await?;
    client.batch_execute("REVOKE UPDATE (seen_at) ON audit_stream FROM audit_writer").await?;
    Report::of(&pipeline, &[]).await?.only("rights", "bad", &["UPDATE on audit_stream"])
}

#[tokio::test]
async fn a_month_is_missing() -> Result<()> {
    let postgres = roles::server().await?;
    let pipeline = roles::pipeline(&postgres, "doctor_months", 1).await?;
    let next = Utc::now() + Months::new(1);
    let drop = format!("DROP TABLE workflow_execution_audit_{}", next.format("%Y_%m"));
    let superuser = postgres.connect(&pipeline.database).await?;
    superuser.batch_execute(&drop).await?;
    let month = next.format("%Y-%m").to_string();
    let report = Report::of(&pipeline, &[]).await?;
    report.only("partitions", "warning", &[&month, "audit-consumer migrate"])?;

    let waiting = "
        INSERT INTO workflow_execution_audit (id, remediation_id, workflow_name, workflow_version, outcome,
            created_at, content_digest, source_topic, source_partition, source_offset, record_timestamp)
        VALUES (gen_random_uuid(), '', '', '', 'success', now() + interval '1 month', sha256(''), 't', 0, 0, now())";
    superuser.batch_execute(waiting).await?;
    let report = Report::of(&pipeline, &[]).await?;
    report.has("default partition", "warning", &["1 rows", "long transactions"])
}
