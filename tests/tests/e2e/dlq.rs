//! Dead letters, and what an operator can do about them.

use anyhow::{Context, Result};
use audit_tests::{binary::Output, kafka::Acknowledged, pipeline::Pipeline};
use serde_json::Value;
use tokio_postgres::Client;

mod discard;
mod export;
mod filters;
mod limit;
mod places;
mod retry;
mod retry_faults;
mod roles;
mod shown;

/// Makes dead letters of records that are accepted once it is gone, as a newer version accepts what an older did not.
pub(crate) const REFUSING: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE 'not yet' USING ERRCODE = '22023';
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON workflow_execution_audit FOR EACH ROW EXECUTE FUNCTION refuse()";
pub(crate) const ACCEPTING: &str = "DROP TRIGGER refuse ON workflow_execution_audit";

async fn client(pipeline: &Pipeline<'_>) -> Result<Client> {
    pipeline.servers.postgres.connect(&pipeline.database).await.context("connect")
}

async fn dlq(pipeline: &Pipeline<'_>, args: &[&str]) -> Result<Output> {
    pipeline.command("dlq").args(args.iter().copied()).run().await
}

/// The objects that the command prints, and its exit code.
async fn objects(pipeline: &Pipeline<'_>, args: &[&str]) -> Result<(Vec<Value>, Option<i32>)> {
    let output = dlq(pipeline, &[args, &["--format", "json"]].concat()).await?;
    let objects = serde_json::from_str(&output.stdout).with_context(|| output.stderr.clone())?;
    Ok((objects, output.code))
}

fn place(pipeline: &Pipeline<'_>, at: &Acknowledged) -> String {
    format!("{}:{}:{}", pipeline.topic, at.partition, at.offset)
}

pub(crate) async fn count(client: &Client, condition: &str) -> Result<i64> {
    let sql = format!("SELECT count(*) FROM audit_dead_letter WHERE {condition}");
    Ok(client.query_one(&sql, &[]).await?.get(0))
}

/// Rows, history and dead letters are what ledgers and retries together say.
async fn adds_up(client: &Client) -> Result<()> {
    let sql = "
        WITH retried AS (
            SELECT count(*) FILTER (WHERE retried_as = 'stored') AS stored,
                count(*) FILTER (WHERE retried_as IN ('superseding', 'late')) AS other, count(*) AS letters
            FROM audit_dead_letter
        ), ledger AS (
            SELECT coalesce(sum(stored), 0) AS stored, coalesce(sum(superseding + late), 0) AS other,
                coalesce(sum(dead_lettered), 0) AS letters
            FROM audit_batch
        )
        SELECT ((SELECT count(*) FROM workflow_execution_audit) - retried.stored - ledger.stored)::bigint,
            ((SELECT count(*) FROM workflow_execution_audit_history) - retried.other - ledger.other)::bigint,
            (retried.letters - ledger.letters)::bigint
        FROM retried, ledger";
    let row = client.query_one(sql, &[]).await?;
    let differences: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
    assert_eq!(differences, [0; 3], "rows, history, dead letters");
    Ok(())
}
