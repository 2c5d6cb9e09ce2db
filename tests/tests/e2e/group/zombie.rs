//! A consumer that freezes in the middle of a transaction, is given up, and wakes up again.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_schema::problem::Code;
use audit_tests::{
    eventually, generator::Generator, load::spread, pipeline::Pipeline, postgres::connect,
};
use chrono::Utc;

use super::protocol::Protocol;

const SEED: u64 = 0x0A0D_0105;
const PARTITIONS: i32 = 2;
const LIMIT: Duration = Duration::from_secs(180);

/// It holds the streams' rows: the successor ends its session.
#[tokio::test]
async fn a_zombie_that_holds_the_streams_is_fenced() -> Result<()> {
    zombie(Protocol::Classic, "audit_batch").await
}

#[tokio::test]
async fn a_zombie_that_holds_the_streams_is_fenced_by_the_new_protocol() -> Result<()> {
    zombie(Protocol::Consumer, "audit_batch").await
}

/// It holds only ids that its successor is about to write: the server ends its session.
#[tokio::test]
async fn a_zombie_that_holds_ids_is_fenced() -> Result<()> {
    zombie(Protocol::Classic, "audit_dead_letter").await
}

/// The transaction is held up at its first statement on `table`, and frozen as soon as that is done.
async fn zombie(protocol: Protocol, table: &str) -> Result<()> {
    let pipeline = Pipeline::shared("zombie", PARTITIONS).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    kafka.publish(&pipeline.topic, spread(&mut generator, 50, PARTITIONS)).await?;
    let zombie = protocol.consumer(&pipeline).start_ready().await?;
    pipeline.verify().await?;

    let holder = connect(&pipeline.database_url).await?;
    holder.batch_execute(&format!("BEGIN; LOCK TABLE {table} IN SHARE MODE")).await?;
    let mut records = spread(&mut generator, 50, PARTITIONS);
    // So that dead letters are written, too, which is done after the rows.
    let poison = (0..PARTITIONS).map(|to| generator.poison(Code::InvalidJson).to_partition(to));
    records.extend(poison);
    kafka.publish(&pipeline.topic, records).await?;
    // One lane for each partition.
    sessions(&pipeline, 2, "wait_event_type = 'Lock' AND wait_event = 'relation'").await?;
    zombie.pause()?;
    holder.batch_execute("ROLLBACK").await?;
    sessions(&pipeline, 2, "state = 'idle in transaction'").await?;

    let successor = protocol.consumer(&pipeline).start_ready().await?;
    pipeline.owned_by(&[&successor]).await?;
    pipeline.verify().await?;

    zombie.resume()?;
    eventually(LIMIT, "the zombie to be fenced", async || {
        let fenced = zombie.metrics().await?.sum("kubernaut_audit_fenced_batches_total", &[]);
        ensure!(fenced > 0.5, "{fenced}");
        Ok(())
    })
    .await?;
    pipeline.owned_by(&[&zombie, &successor]).await?;
    pipeline.stop(&successor).await?;
    pipeline.owned_by(&[&zombie]).await?;
    kafka.publish(&pipeline.topic, spread(&mut generator, 50, PARTITIONS)).await?;
    let summary = pipeline.verify().await?;
    let ledger = summary.ledger;
    assert_eq!((ledger.stored, ledger.dead_lettered, ledger.duplicate), (300, 2, 0));
    pipeline.stop(&zombie).await
}

/// Waits until so many of the consumers' database sessions are like this.
async fn sessions(pipeline: &Pipeline<'_>, count: i64, like: &str) -> Result<()> {
    let query = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND application_name = 'kubernaut-audit-consumer' AND {like}"
    );
    let client = connect(&pipeline.database_url).await?;
    eventually(LIMIT, &format!("{count} sessions with {like}"), async || {
        let now: i64 = client.query_one(&query, &[]).await?.get(0);
        ensure!(now == count, "{now}");
        Ok(())
    })
    .await
}
