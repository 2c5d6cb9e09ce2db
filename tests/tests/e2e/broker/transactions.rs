//! Producers that write in transactions: markers and aborted records take offsets and are no records.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use audit_tests::{
    eventually, generator::Generator, load::spread, oracle::Summary, pipeline::Pipeline,
    postgres::connect,
};
use chrono::{DateTime, Utc};

const SEED: u64 = 0x0A0D_0205;
const PARTITIONS: i32 = 2;
/// Records that each transaction writes to each partition.
const EACH: usize = 20;
const LIMIT: Duration = Duration::from_secs(180);

#[tokio::test]
async fn aborted_transactions_are_gaps_also_at_the_tail() -> Result<()> {
    let pipeline = Pipeline::shared("aborted", PARTITIONS).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let consumer = pipeline.start_consumer().await?;
    // The topic begins with a gap, has some in between, and ends with one each time it is looked at.
    for (round, end) in [End::Abort, End::Commit, End::Abort, End::Abort].into_iter().enumerate() {
        transact(&pipeline, &mut generator, end).await?;
        if round != 1 {
            complete(&pipeline).await?;
        }
    }
    assert_eq!(sums(&pipeline.verify().await?), (1, 3 * EACH + 4));
    pipeline.stop(&consumer).await?;

    // The record that is compared at takeover is followed by nothing but a gap.
    let consumer = pipeline.start_consumer().await?;
    transact(&pipeline, &mut generator, End::Abort).await?;
    complete(&pipeline).await?;
    transact(&pipeline, &mut generator, End::Commit).await?;
    complete(&pipeline).await?;
    assert_eq!(sums(&pipeline.verify().await?), (2, 4 * EACH + 6));
    pipeline.stop(&consumer).await
}

/// What is still open may yet be committed: nothing from there on is accounted for.
#[tokio::test]
async fn an_open_transaction_is_waited_for() -> Result<()> {
    let pipeline = Pipeline::shared("open", PARTITIONS).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let consumer = pipeline.start_consumer().await?;
    transact(&pipeline, &mut generator, End::Commit).await?;
    complete(&pipeline).await?;
    let before = pipeline.accounted_for().await?;

    let open = kafka.begin(&pipeline.topic).await?;
    open.publish(&pipeline.topic, spread(&mut generator, EACH, PARTITIONS)).await?;
    kafka.publish(&pipeline.topic, spread(&mut generator, EACH, PARTITIONS)).await?;
    // Several looks at the statistics and at the ends pass, and the lag shows.
    eventually(LIMIT, "the lag to show", async || {
        let lag = consumer.metrics().await?.sum("kubernaut_audit_partition_lag_records", &[]);
        ensure!(lag > 79.5, "{lag}");
        Ok(())
    })
    .await?;
    assert_eq!(pipeline.accounted_for().await?, before);

    open.commit().await?;
    complete(&pipeline).await?;
    assert_eq!(sums(&pipeline.verify().await?), (3, 2));
    pipeline.stop(&consumer).await
}

#[derive(Clone, Copy, Debug)]
enum End {
    Commit,
    Abort,
}

async fn transact(pipeline: &Pipeline<'_>, generator: &mut Generator, end: End) -> Result<()> {
    let transaction = pipeline.servers.kafka.begin(&pipeline.topic).await?;
    transaction.publish(&pipeline.topic, spread(generator, EACH, PARTITIONS)).await?;
    match end {
        End::Commit => transaction.commit().await,
        End::Abort => transaction.abort().await,
    }
}

/// Waits until the completeness view says that everything up to now is there.
async fn complete(pipeline: &Pipeline<'_>) -> Result<()> {
    let now = Utc::now();
    pipeline.oracle().settled(LIMIT).await?;
    let client = connect(&pipeline.database_url).await?;
    let query = "
        SELECT complete_up_to, lag FROM audit_completeness
        WHERE stream = $1 AND topic = $2 AND partition IS NULL";
    eventually(LIMIT, "the view to be current", async || {
        let row = client.query_one(query, &[&pipeline.group, &pipeline.topic]).await?;
        let complete: DateTime<Utc> = row.get::<_, Option<_>>(0).context("it is not known")?;
        let lag: Option<i64> = row.get(1);
        ensure!(complete >= now && lag == Some(0), "complete up to {complete}, lag {lag:?}");
        Ok(())
    })
    .await
}

/// Per partition: how many times [`EACH`] records were stored, and how many offsets are gaps.
fn sums(summary: &Summary) -> (usize, usize) {
    let partitions = usize::try_from(PARTITIONS).unwrap_or(0);
    let gap = usize::try_from(summary.ledger.gap).unwrap_or(usize::MAX);
    (summary.ids / EACH / partitions, gap / partitions)
}
