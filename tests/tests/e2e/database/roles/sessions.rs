//! A takeover from a frozen consumer, whose session only its own user may end.

use anyhow::{Result, ensure};
use audit_tests::{eventually, generator::Generator, load::spread, pipeline::Pipeline};
use chrono::Utc;

use super::{WRITERS, pipeline, server, url};
use crate::database::PATIENCE;

const SEED: u64 = 0x0A0D_1023;
const PARTITIONS: i32 = 2;

#[tokio::test]
async fn a_frozen_session_of_the_same_user_is_ended() -> Result<()> {
    takeover(WRITERS[0], "ended the previous owner's database session").await
}

#[tokio::test]
async fn a_frozen_session_of_another_user_is_left_to_the_server() -> Result<()> {
    takeover(WRITERS[1], "the previous owner's database session is another user's").await
}

async fn takeover(successor: &str, log: &str) -> Result<()> {
    let postgres = server().await?;
    let pipeline = pipeline(&postgres, "frozen", PARTITIONS).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    kafka.publish(&pipeline.topic, spread(&mut generator, 50, PARTITIONS)).await?;
    // The server waits longer than usual with ending it, so that the successor is there before.
    let patient =
        format!("{}?options=-c%20idle_in_transaction_session_timeout%3D40s", pipeline.database_url);
    let frozen = pipeline.consumer().env("AUDIT_DATABASE_URL", patient).quiet();
    let frozen = frozen.start_ready().await?;
    pipeline.verify().await?;

    // Frozen inside of its transactions, with the streams' rows in its hands: one lane for each partition.
    let holder = postgres.connect(&pipeline.database).await?;
    holder.batch_execute("BEGIN; LOCK TABLE audit_batch IN SHARE MODE").await?;
    kafka.publish(&pipeline.topic, spread(&mut generator, 50, PARTITIONS)).await?;
    both_lanes(&pipeline, "wait_event_type = 'Lock' AND wait_event = 'relation'").await?;
    frozen.pause()?;
    holder.batch_execute("ROLLBACK").await?;
    both_lanes(&pipeline, "state = 'idle in transaction'").await?;

    let url = url(&postgres, successor, &pipeline.database);
    let successor = pipeline.consumer().env("AUDIT_DATABASE_URL", url).start_ready().await?;
    pipeline.owned_by(&[&successor]).await?;
    pipeline.verify().await?;
    ensure!(successor.log()?.contains(log), "{log:?} is not in the log");
    frozen.kill().await?;
    pipeline.stop(&successor).await
}

async fn both_lanes(pipeline: &Pipeline<'_>, are: &str) -> Result<()> {
    let superuser = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND application_name = 'kubernaut-audit-consumer' AND {are}"
    );
    eventually(PATIENCE, &format!("both lanes with {are}"), async || {
        let now: i64 = superuser.query_one(&sql, &[]).await?.get(0);
        ensure!(now == 2, "{now}");
        Ok(())
    })
    .await
}
