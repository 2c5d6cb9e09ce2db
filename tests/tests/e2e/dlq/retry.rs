//! `audit-consumer dlq retry` stores what is accepted by now.

use std::collections::BTreeMap;

use anyhow::Result;
use audit_schema::problem::Code;
use audit_tests::{
    generator::{Generator, IdKind},
    pipeline::Pipeline,
};
use chrono::Utc;
use serde_json::Value;

use super::{ACCEPTING, REFUSING, adds_up, client, count, dlq, objects, place};
use crate::database::{PATIENCE, new_ids};
use crate::verify::Verdict;

const SEED: u64 = 0x0A0D_0D01;

fn by_result(outcomes: &[Value]) -> BTreeMap<&str, usize> {
    let mut results = BTreeMap::new();
    for outcome in outcomes {
        *results.entry(outcome["result"].as_str().unwrap_or_default()).or_default() += 1;
    }
    results
}

/// New ids of every kind, and two more contents and a repetition of one of them; what is poison stays dead. A stream that
/// reads all of it again finds nothing to add.
#[tokio::test]
async fn what_is_accepted_by_now_is_stored_and_the_rest_stays_dead() -> Result<()> {
    let mut pipeline = Pipeline::shared("retry", 1).await?;
    let client = client(&pipeline).await?;
    client.batch_execute(REFUSING).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let event = generator.event(IdKind::ClientMade);
    let mut records = vec![event.record()];
    records.push(generator.conflict(&event).record());
    records.push(event.respelled().record());
    records.push(generator.conflict(&event).record());
    records.extend(IdKind::ALL.map(|kind| generator.event(kind).record()));
    for code in [Code::Tombstone, Code::InvalidOutcome, Code::UnknownEventType] {
        records.push(generator.poison(code));
    }
    let kafka = pipeline.servers.kafka;
    kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    pipeline.stop(&consumer).await?;
    assert_eq!(count(&client, "resolution IS NULL").await?, 11);

    // Nothing has changed yet.
    let (outcomes, code) = objects(&pipeline, &["retry", "--all"]).await?;
    assert_eq!((by_result(&outcomes), code), ([("still_dead", 11)].into(), Some(3)));
    assert!(outcomes[0]["error"].as_str().is_some_and(|text| text.contains("not yet")));
    adds_up(&client).await?;

    client.batch_execute(ACCEPTING).await?;
    let expected = [("duplicate", 1), ("still_dead", 3), ("stored", 5), ("superseding", 2)];
    let (outcomes, code) = objects(&pipeline, &["retry", "--all", "--dry-run"]).await?;
    assert_eq!((by_result(&outcomes), code), (expected.into(), Some(3)));
    assert_eq!(count(&client, "resolution IS NULL AND attempts = 2").await?, 11, "a dry run");
    let (outcomes, code) = objects(&pipeline, &["retry", "--all", "--by", "anna"]).await?;
    assert_eq!((by_result(&outcomes), code), (expected.into(), Some(3)));
    let codes: Vec<&Value> = outcomes[8..].iter().map(|outcome| &outcome["code"]).collect();
    assert_eq!(codes, ["tombstone", "invalid_outcome", "unknown_event_type"]);
    assert_eq!(count(&client, "resolution = 'stored' AND resolved_by = 'anna'").await?, 8);
    adds_up(&client).await?;
    let summary = pipeline.verify().await?;
    assert_eq!((summary.ids, summary.history, summary.dead_letters), (5, 2, 3));

    pipeline.group.push_str("_again");
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    pipeline.stop(&consumer).await?;
    let sql = "SELECT sum(duplicate)::bigint FROM audit_batch WHERE stream = $1";
    assert_eq!(client.query_one(sql, &[&pipeline.group]).await?.get::<_, i64>(0), 11);
    adds_up(&client).await?;
    Verdict::of_topic(&pipeline).await?.is_clean()
}

/// Where a stream has stored the record meanwhile, its ledger has counted it, and the retry finds nothing to do.
#[tokio::test]
async fn what_a_stream_has_resolved_is_not_counted_again() -> Result<()> {
    let mut pipeline = Pipeline::shared("retry_resolved", 1).await?;
    let client = client(&pipeline).await?;
    client.batch_execute(REFUSING).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let kafka = pipeline.servers.kafka;
    let places = kafka.publish(&pipeline.topic, new_ids(&mut generator, 3)).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    pipeline.stop(&consumer).await?;
    client.batch_execute(ACCEPTING).await?;
    let (outcomes, code) = objects(&pipeline, &["retry", &place(&pipeline, &places[1])]).await?;
    assert_eq!((by_result(&outcomes), code), ([("stored", 1)].into(), Some(0)));

    let first = pipeline.group.clone();
    pipeline.group.push_str("_again");
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().verify_with(&[&first], PATIENCE).await?;
    pipeline.stop(&consumer).await?;
    assert_eq!(count(&client, "retried_as = 'stored'").await?, 1);
    assert_eq!(count(&client, "retried_as IS NULL AND resolution = 'stored'").await?, 2);
    adds_up(&client).await?;
    let all = dlq(&pipeline, &["retry", "--all", "--format", "csv"]).await?;
    assert_eq!(all.code, Some(0), "{}", all.stderr);
    assert_eq!(all.stdout, "topic,partition,offset,result,code,error\n");
    Ok(())
}
