//! A wrong deployment does not empty the topic into the dead letters.

use anyhow::{Result, ensure};
use audit_tests::{eventually, generator::Generator, http, kafka::Record, pipeline::Pipeline};
use chrono::Utc;

use super::{ACCEPTING, REFUSING, adds_up, client, count};
use crate::broker::halted::is_halted;
use crate::database::{PATIENCE, new_ids, poison};

const SEED: u64 = 0x0A0D_0D07;
const REASON: &str = "too_many_dead_letters";

/// So many valid records and so many poison ones in turn.
fn alternating(generator: &mut Generator, pairs: usize, partition: i32) -> Vec<Record> {
    let mut records = Vec::new();
    for record in new_ids(generator, pairs) {
        records.extend([record, poison(generator)]);
    }
    records.into_iter().map(|record| record.to_partition(partition)).collect()
}

/// Half of a partition's records are poison for as long as one likes; one more than half of the window, and it halts.
/// The other partition goes on, and what was not written comes again under a higher limit.
#[tokio::test]
async fn a_partition_halts_above_the_limit_and_goes_on_under_a_higher_one() -> Result<()> {
    let pipeline = Pipeline::shared("share", 2).await?;
    let client = client(&pipeline).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let mut records = alternating(&mut generator, 60, 0);
    records.extend(alternating(&mut generator, 60, 1));
    records.push(poison(&mut generator).to_partition(1));
    records.extend(new_ids(&mut generator, 30).into_iter().map(|record| record.to_partition(1)));
    let kafka = pipeline.servers.kafka;
    kafka.publish(&pipeline.topic, records).await?;

    let consumer = || pipeline.consumer().env("AUDIT_DEAD_LETTER_WINDOW", "20");
    let strict = consumer().env("AUDIT_BATCH_SIZE", "7").start_ready().await?;
    is_halted(&pipeline, &strict, 1, REASON).await?;
    let end = kafka.watermarks(&pipeline.topic, 0).await?.1;
    eventually(PATIENCE, "the other partition to go on", async || {
        let next = pipeline.stream(0).await?.next_offset;
        ensure!(next == Some(end), "{next:?} of {end}");
        Ok(())
    })
    .await?;
    // Offset 120 would be the eleventh of twenty.
    let halted = pipeline.stream(1).await?;
    assert!(halted.next_offset.is_some_and(|next| (100..=120).contains(&next)), "{halted:?}");
    assert_eq!(count(&client, "partition = 1 AND \"offset\" >= 120").await?, 0);
    let text = halted.halted.unwrap_or_default();
    assert!(text.contains("more than 10 of 20") && text.contains("--dead-letter-limit"), "{text}");
    let ready = http::get(strict.admin(), "/readyz?verbose").await?;
    assert!(ready.status == 200 && ready.text().contains(REASON), "{}", ready.text());
    pipeline.stop(&strict).await?;

    let lenient = consumer().env("AUDIT_DEAD_LETTER_LIMIT", "0.55").start_ready().await?;
    let summary = pipeline.verify().await?;
    assert_eq!((summary.ids, summary.dead_letters), (150, 121));
    pipeline.stop(&lenient).await?;
    adds_up(&client).await
}

/// It counts what the database refuses as well: nothing of it is written, and all of it once it is accepted.
#[tokio::test]
async fn a_database_that_refuses_everything_halts_the_partition() -> Result<()> {
    let pipeline = Pipeline::shared("share_refused", 1).await?;
    let client = client(&pipeline).await?;
    client.batch_execute(REFUSING).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let records = new_ids(&mut generator, 50);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = || pipeline.consumer().env("AUDIT_DEAD_LETTER_WINDOW", "20");
    let refused = consumer().start_ready().await?;
    is_halted(&pipeline, &refused, 0, REASON).await?;
    let letters = count(&client, "true").await?;
    assert!(letters <= 10, "{letters} dead letters");
    pipeline.stop(&refused).await?;

    client.batch_execute(ACCEPTING).await?;
    let accepted = consumer().start_ready().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    pipeline.stop(&accepted).await?;
    pipeline.command("dlq").args(["retry", "--partition", "0"]).run().await?.success()?;
    assert_eq!(pipeline.verify().await?.ids, 50);
    Ok(())
}

/// Without a limit, a topic of nothing but poison is read to its end.
#[tokio::test]
async fn without_a_limit_everything_may_be_a_dead_letter() -> Result<()> {
    for (off, share) in [("share_off", "off"), ("share_one", "1")] {
        let pipeline = Pipeline::shared(off, 1).await?;
        let mut generator = Generator::new(SEED + 2, Utc::now());
        let records = (0..50).map(|_| poison(&mut generator)).collect();
        pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
        let consumer = pipeline.consumer().env("AUDIT_DEAD_LETTER_WINDOW", "20");
        let consumer = consumer.env("AUDIT_DEAD_LETTER_LIMIT", share).start_ready().await?;
        assert_eq!(pipeline.verify().await?.dead_letters, 50);
        pipeline.stop(&consumer).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_share_is_from_0_to_1() -> Result<()> {
    let pipeline = Pipeline::shared("share_usage", 1).await?;
    for share in ["1.1", "-0.1", "half", "nan", ""] {
        let limit = format!("--dead-letter-limit={share}");
        let run = pipeline.consumer().args([limit]).run().await?;
        assert_eq!(run.code, Some(2), "{share}: {}", run.stderr);
        assert!(run.stderr.contains("--dead-letter-limit"), "{}", run.stderr);
    }
    Ok(())
}
