//! The reader sees everything and changes nothing.

use anyhow::Result;
use audit_tests::generator::Generator;
use chrono::Utc;

use super::{READER, may_not, may_not_migrate, pipeline, relations, server, session, url};
use crate::database::mixture;

const SEED: u64 = 0x0A0D_1021;

#[tokio::test]
async fn the_reader_sees_everything_and_changes_nothing() -> Result<()> {
    let postgres = server().await?;
    let pipeline = pipeline(&postgres, "reader", 2).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let kafka = pipeline.servers.kafka;
    kafka.publish(&pipeline.topic, mixture(&mut generator, 50, 2)).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await?;

    let reader = session(&postgres, READER, &pipeline.database).await?;
    let relations = relations(&reader).await?;
    for relation in relations.iter().filter(|relation| !relation.is_partition) {
        reader.batch_execute(&format!("SELECT FROM {}", relation.name)).await?;
    }
    for report in [
        "audit_effective_workflows",
        "audit_needs_optimization",
        "audit_slow_steps",
        "audit_retry_patterns",
        "audit_adjustments",
    ] {
        reader.batch_execute(&format!("SELECT FROM {report}('-infinity', 'infinity')")).await?;
    }

    let mut statements = Vec::new();
    for relation in relations.iter().filter(|relation| !relation.is_view) {
        let (table, column) = (&relation.name, &relation.first_column);
        statements.extend([
            format!("INSERT INTO {table} DEFAULT VALUES"),
            format!("UPDATE {table} SET {column} = {column}"),
            format!("SELECT FROM {table} FOR UPDATE"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
        ]);
    }
    statements.extend(
        [
            "SELECT audit_add_partition('2001-01-01')",
            "SELECT audit_leave_history('{}', '{}')",
            "SELECT audit_grant_rights()",
            "CREATE TEMP TABLE mine ()",
            "CREATE TABLE mine ()",
            "SET ROLE audit_writer",
        ]
        .map(ToOwned::to_owned),
    );
    may_not(&reader, &statements).await;
    Ok(())
}

/// Commands that only read work; the others say at once what is missing and who has it.
#[tokio::test]
async fn commands_as_the_reader() -> Result<()> {
    let postgres = server().await?;
    let mut pipeline = pipeline(&postgres, "reads", 1).await?;
    pipeline.database_url = url(&postgres, READER, &pipeline.database);
    let list = pipeline.command("dlq").args(["list"]).run().await?.success()?;
    assert_eq!(list, "no open dead letters\n");

    // It would wait for so long if it hoped that this passes.
    let run = pipeline.consumer().env("AUDIT_STARTUP_TIMEOUT", "1h").env("AUDIT_LOG", "off");
    let run = run.env("AUDIT_ADMIN_LISTEN", "127.0.0.1:0").run().await?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    for words in [
        "error: the database user lacks rights that `run` needs: EXECUTE on audit_add_partition(date)",
        "INSERT on audit_batch",
        "more; make it a member of audit_writer (docs/database-roles.md)",
    ] {
        assert!(run.stderr.contains(words), "{words:?} is not in {}", run.stderr);
    }
    may_not_migrate(&pipeline, READER).await
}
