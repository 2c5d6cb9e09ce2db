//! What happens when nothing more can be taken. No broker is needed for it: one that cannot be
//! reached keeps every place taken until the deadline, which is long enough for all requests to arrive before it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use audit_tests::{
    binary::Binary,
    eventually,
    gateway::{self, Gateway},
    generator::{Generator, IdKind},
    http,
    os::free_port,
};
use chrono::Utc;
use futures_util::future::join_all;

const SEED: u64 = 0x0A0D_2003;

#[tokio::test]
async fn an_unreachable_broker_is_a_503_within_the_deadline() -> Result<()> {
    let gateway = unreachable_broker(|gateway| gateway.env("AUDIT_DEADLINE", "2s")).await?;
    let event = Generator::new(SEED, Utc::now()).event(IdKind::Dated).value();
    let begun = Instant::now();
    let answer = gateway.post(&event).await?;
    let took = begun.elapsed();
    // Much less than librdkafka's own five minutes, and more than a busy machine adds to the deadline.
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("5")),
        "{}",
        answer.text()
    );
    eventually(Duration::from_secs(120), "the outage to be told", async || {
        let ready = http::get(gateway.service.admin(), "/readyz?verbose").await?;
        ensure!(ready.status == 200, "an outage does not make it unready");
        ensure!(ready.text().contains("kafka"), "{}", ready.text());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_full_queue_is_a_503_at_once() -> Result<()> {
    let small = |gateway: Binary| gateway.env("AUDIT_QUEUE_MIB", "2").env("AUDIT_DEADLINE", "10s");
    let gateway = unreachable_broker(small).await?;
    let event = Generator::new(SEED + 1, Utc::now()).event(IdKind::Dated).value();
    // The queue has room for two such events; a field without a column of its own makes them large.
    let padding = format!(r#"{{"padding":"{}","#, "x".repeat(800 * 1024));
    let large = [padding.as_bytes(), &event[1..]].concat();
    let begun = Instant::now();
    let answers = join_all((0..5).map(|_| async {
        let answer = gateway.post(&large).await?;
        anyhow::Ok((answer.status, answer.json()?["type"].to_string(), begun.elapsed(), answer))
    }))
    .await
    .into_iter()
    .collect::<Result<Vec<_>>>()?;

    let (full, waited): (Vec<_>, Vec<_>) =
        answers.iter().partition(|(_, kind, ..)| kind.contains("queue-full"));
    assert_eq!((full.len(), waited.len()), (3, 2), "{answers:?}");
    for (status, _, _, answer) in &full {
        assert_eq!((*status, answer.header("retry-after")), (503, Some("1")));
    }
    for (status, kind, ..) in &waited {
        assert!(*status == 503 && kind.contains("not-acknowledged"), "{status} {kind}");
    }
    let latest = full.iter().map(|(_, _, took, _)| took).max();
    assert!(latest < waited.iter().map(|(_, _, took, _)| took).min(), "{answers:?}");
    // The places are free again.
    let answer = gateway.post(&event).await?;
    assert!(answer.text().contains("not-acknowledged"), "{}", answer.text());
    Ok(())
}

#[tokio::test]
async fn more_requests_than_allowed_are_told_429() -> Result<()> {
    let narrow =
        |gateway: Binary| gateway.env("AUDIT_MAX_CONCURRENCY", "3").env("AUDIT_DEADLINE", "10s");
    let gateway = unreachable_broker(narrow).await?;
    let event = Generator::new(SEED + 2, Utc::now()).event(IdKind::Dated).value();
    let answers = join_all((0..8).map(|_| gateway::post(gateway.address, &event)))
        .await
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert_eq!(refused.len(), 5);
    for answer in refused {
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(answers.iter().filter(|answer| answer.status == 503).count(), 3);
    Ok(())
}

async fn unreachable_broker(adapt: impl FnOnce(Binary) -> Binary) -> Result<Gateway> {
    Gateway::start_with(&format!("127.0.0.1:{}", free_port()), "nowhere", adapt).await
}
