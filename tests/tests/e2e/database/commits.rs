//! COMMIT whose answer is lost, and COMMIT that never arrived.

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    generator::Generator,
    pipeline::Pipeline,
    proxy::{CutAt, Proxy},
};
use chrono::Utc;

use super::{PATIENCE, consumer_through, mixture, new_ids};

const SEED: u64 = 0x0A0D_1001;

/// What a transaction of each kind does, and no other.
const TAKEOVER: &str = "SET epoch = epoch + 1";
const BATCH: &str = "INSERT INTO audit_batch";
const CONFLICT: &str = "FROM workflow_execution_audit_history";

/// What was committed is recognised: not written again, and not taken for somebody else's.
#[tokio::test]
async fn commits_whose_answer_is_lost() -> Result<()> {
    cut_every_kind("reply_lost", CutAt::CommitReply).await
}

/// What was not committed is written again, by the same consumer.
#[tokio::test]
async fn commits_that_never_arrive() -> Result<()> {
    cut_every_kind("commit_lost", CutAt::Commit).await
}

async fn cut_every_kind(name: &str, at: CutAt) -> Result<()> {
    let pipeline = Pipeline::shared(name, 4).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    let proxy = Proxy::start(pipeline.servers.postgres.address())?;

    // One for each partition, whether it meets them or further attempts.
    proxy.cut_next_commits(4, at, TAKEOVER);
    let consumer = consumer_through(&pipeline, &proxy).start_ready().await?;
    proxy.wait_for_cuts(4, PATIENCE).await?;
    for cuts in 5..=10 {
        proxy.cut_next_commit(at, BATCH);
        kafka.publish(&pipeline.topic, new_ids(&mut generator, 30)).await?;
        proxy.wait_for_cuts(cuts, PATIENCE).await?;
    }
    for cuts in 11..=16 {
        proxy.cut_next_commit(at, CONFLICT);
        kafka.publish(&pipeline.topic, mixture(&mut generator, 30, 4)).await?;
        proxy.wait_for_cuts(cuts, PATIENCE).await?;
    }

    let summary = pipeline.verify().await?;
    assert!(summary.history > 50 && summary.dead_letters > 20, "{summary:?}");
    // Nothing is counted before it is known to be committed, and then all of it.
    let all = super::float(summary.ledger.offsets());
    eventually(PATIENCE, "the metrics to be the ledger's", async || {
        let counted = consumer.metrics().await?.sum("kubernaut_audit_records_total", &[]);
        ensure!((counted - all).abs() < 0.5, "{counted} records of {all}");
        Ok(())
    })
    .await?;
    let metrics = consumer.metrics().await?;
    let fenced = metrics.sum("kubernaut_audit_fenced_batches_total", &[]);
    assert!(fenced < 0.5, "the consumer took its own commits for another's: {fenced}");
    let retries = metrics.sum("kubernaut_audit_retries_total", &[("sqlstate", "none")]);
    assert!(retries >= 16.0, "{retries} retries");
    pipeline.stop(&consumer).await
}
