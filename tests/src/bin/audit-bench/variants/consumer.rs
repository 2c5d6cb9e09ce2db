//! The real binary with all its guarantees, from a group that has read nothing to the end of the topic.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use audit_tests::{binary::Binary, postgres::connect, service::Service};
use tokio_postgres::Client;

use crate::{cpu::CpuTimes, stage::Stage};

/// Between two looks at how far it is: seldom, since looking costs the database.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long it may take without any progress.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it took.
pub(crate) struct Drained {
    /// The most memory it had, in bytes.
    pub(crate) peak_memory: u64,
    /// Its processor time from its start on, in microseconds.
    pub(crate) cpu: u64,
}

/// Starts a consumer, waits until it has accounted for every offset, and ends it.
pub(crate) async fn drain(stage: &Stage, database: &str, lanes: u16) -> Result<Drained> {
    let url = stage.postgres.url(database);
    // The template's stream keeps its name: the oracle asks for it. Every other one begins anew.
    let group = if database == stage.topic() {
        database.to_owned()
    } else {
        format!("{database}-{}", fastrand::u64(..))
    };
    let consumer = Binary::new("audit-consumer")
        .args(["run"])
        .env("AUDIT_DATABASE_URL", &url)
        .env("AUDIT_BROKERS", stage.kafka.bootstrap())
        .env("AUDIT_TOPIC", stage.topic())
        .env("AUDIT_GROUP", group)
        .env("AUDIT_LANES", lanes.to_string())
        .quiet()
        .start_ready()
        .await?;
    let client = connect(&url).await?;
    reaches_the_end(&consumer, &client, stage.events.into())
        .await
        .with_context(|| consumer.log_tail(20))?;
    let drained = Drained { peak_memory: consumer.peak_memory()?, cpu: CpuTimes::now()?.consumer };
    let status = consumer.terminate(Duration::from_secs(30)).await?;
    ensure!(status.success(), "the consumer ended with {status}");
    Ok(drained)
}

/// The whole ledger is new rows, as many as there are events, and nothing is anywhere else.
pub(super) async fn check_account(client: &Client, events: u32) -> Result<()> {
    let sql = "SELECT
        (SELECT sum(stored)::bigint FROM audit_batch),
        (SELECT sum(last_offset - first_offset + 1)::bigint FROM audit_batch),
        (SELECT sum(next_offset - start_offset)::bigint FROM audit_stream),
        (SELECT count(*) FROM workflow_execution_audit_history),
        (SELECT count(*) FROM audit_dead_letter)";
    let row = client.query_one(sql, &[]).await?;
    let account: [i64; 5] =
        [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?];
    let events = i64::from(events);
    ensure!(
        account == [events, events, events, 0, 0],
        "the account of {events} events is {account:?}"
    );
    Ok(())
}

async fn reaches_the_end(consumer: &Service, client: &Client, events: i64) -> Result<()> {
    let statement =
        client.prepare("SELECT sum(next_offset - start_offset)::bigint FROM audit_stream").await?;
    let (mut passed, mut since) = (None, Instant::now());
    loop {
        let now: Option<i64> = client.query_one(&statement, &[]).await?.try_get(0)?;
        if now >= Some(events) {
            return Ok(());
        }
        if now != passed {
            (passed, since) = (now, Instant::now());
        }
        if let Some(status) = consumer.status()? {
            bail!("the consumer ended with {status}");
        }
        ensure!(since.elapsed() < PATIENCE, "no progress since offset {passed:?} of {events}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
