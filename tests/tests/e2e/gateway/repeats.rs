//! The same event more than once is one row.

use anyhow::Result;
use audit_tests::{
    gateway::{Gateway, acknowledged},
    generator::{Generator, IdKind},
    oracle::Counts,
    pipeline::Pipeline,
};
use chrono::Utc;

const SEED: u64 = 0x0A0D_2001;

#[tokio::test]
async fn the_same_body_twice_is_one_row_and_a_duplicate() -> Result<()> {
    let pipeline = Pipeline::shared("same_body", 3).await?;
    let gateway = Gateway::start(pipeline.servers.kafka.bootstrap(), &pipeline.topic).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    for kind in IdKind::ALL {
        let event = generator.event(kind);
        let first = acknowledged(&gateway.post(&event.value()).await?)?;
        let second = acknowledged(&gateway.post(&event.respelled().value()).await?)?;
        assert_eq!(first.id, second.id, "{kind:?}");
        assert!(event.id.is_none_or(|id| id == first.id), "an id that is given is kept");
        assert_eq!(first.partition, second.partition, "the key decides the partition");
        assert!(first.offset < second.offset);
    }
    let consumer = pipeline.start_consumer().await?;
    let kinds = IdKind::ALL.len();
    let summary = pipeline.verify().await?;
    assert_eq!(summary.ids, kinds);
    let each = i64::try_from(kinds)?;
    assert_eq!(summary.ledger, Counts { stored: each, duplicate: each, ..Counts::default() });
    pipeline.stop(&consumer).await
}

#[tokio::test]
async fn one_idempotency_key_is_one_row() -> Result<()> {
    let pipeline = Pipeline::shared("idempotency", 3).await?;
    let gateway = Gateway::start(pipeline.servers.kafka.bootstrap(), &pipeline.topic).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let event = generator.event(IdKind::Absent);
    let other = generator.conflict(&event);
    let post = async |key: &str, event: &audit_tests::generator::Event| {
        acknowledged(&gateway.post_with(&[("idempotency-key", key)], &event.value()).await?)
    };

    let first = post("execution-17", &event).await?;
    assert_eq!(post("\"execution-17\"", &event).await?.id, first.id, "quoted or bare");
    // The same key with other content: one event with two contents, both kept.
    assert_eq!(post("execution-17", &other).await?.id, first.id);
    let second = post("execution-18", &event).await?;
    assert_ne!(second.id, first.id);

    let consumer = pipeline.start_consumer().await?;
    let summary = pipeline.verify().await?;
    assert_eq!((summary.ids, summary.history), (2, 1));
    let ledger = Counts { stored: 2, duplicate: 1, superseding: 1, ..Counts::default() };
    assert_eq!(summary.ledger, ledger);
    pipeline.stop(&consumer).await
}
