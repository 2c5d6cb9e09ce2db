//! Which rights the commands need.

use anyhow::Result;
use audit_tests::generator::Generator;
use chrono::Utc;

use super::{ACCEPTING, REFUSING, adds_up, dlq, objects};
use crate::database::{
    PATIENCE, new_ids,
    roles::{MIGRATOR, READER, WRITERS, pipeline, server, url},
};

const SEED: u64 = 0x0A0D_0D08;

/// The reader looks, the writer tries again, and to give up is for who may migrate.
#[tokio::test]
async fn each_command_with_the_least_rights() -> Result<()> {
    let postgres = server().await?;
    let mut pipeline = pipeline(&postgres, "dlq_roles", 1).await?;
    let superuser = postgres.connect(&pipeline.database).await?;
    superuser.batch_execute(REFUSING).await?;
    let records = new_ids(&mut Generator::new(SEED, Utc::now()), 3);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    pipeline.stop(&consumer).await?;
    superuser.batch_execute(ACCEPTING).await?;
    let first = format!("{}:0:0", pipeline.topic);

    pipeline.database_url = url(&postgres, READER, &pipeline.database);
    for args in [&["list"][..], &["list", "--summary"], &["show", &first], &["export"]] {
        dlq(&pipeline, args).await?.success()?;
    }
    let retry = dlq(&pipeline, &["retry", &first]).await?;
    assert_eq!(retry.code, Some(1));
    assert!(retry.stderr.contains("make it a member of audit_writer"), "{}", retry.stderr);
    let discard = ["discard", first.as_str(), "--reason", "a test"];
    let refusal = "error: the database user may not discard dead letters; use a member of audit_migrator \
                   (docs/database-roles.md)\n";
    assert_eq!(dlq(&pipeline, &discard).await?.stderr, refusal);

    pipeline.database_url = url(&postgres, WRITERS[0], &pipeline.database);
    assert_eq!(dlq(&pipeline, &discard).await?.stderr, refusal);
    let retry = ["retry", &format!("{}:0:1", pipeline.topic)];
    assert_eq!(objects(&pipeline, &retry).await?.0[0]["result"], "stored");

    pipeline.database_url = url(&postgres, MIGRATOR, &pipeline.database);
    dlq(&pipeline, &discard).await?.success()?;
    let sql =
        "SELECT array_agg(coalesce(resolved_by, '-') ORDER BY \"offset\") FROM audit_dead_letter";
    let resolved: Vec<String> = superuser.query_one(sql, &[]).await?.get(0);
    assert_eq!(resolved, [MIGRATOR, WRITERS[0], "-"]);
    adds_up(&superuser).await
}
