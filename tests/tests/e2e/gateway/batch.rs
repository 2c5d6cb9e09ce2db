//! Many events in one request: each has its own fate, and the memory for all of them is bounded.

use anyhow::{Context, Result, ensure};
use audit_schema::problem::Code;
use audit_tests::{
    gateway::{BATCH_PATH, Gateway, lost, results},
    generator::{Generator, IdKind},
    http,
    kafka::KafkaCluster,
    os::free_port,
    pipeline::{Pipeline, Servers},
    shared,
};
use chrono::Utc;
use futures_util::future::join_all;

const SEED: u64 = 0x0A0D_2007;
const MIB: usize = 1024 * 1024;

/// Poison that is one line: no line break in it, and not blank.
const POISON: [Code; 6] = [
    Code::InvalidJson,
    Code::InvalidUtf8,
    Code::DuplicateKey,
    Code::NumberOutOfRange,
    Code::MissingField,
    Code::TooDeep,
];

#[tokio::test]
async fn what_a_batch_acknowledges_is_stored_whatever_happens_to_the_rest() -> Result<()> {
    let kafka = KafkaCluster::start(1).await?;
    let servers = Servers { kafka: &kafka, postgres: shared::postgres().await? };
    let pipeline = Pipeline::on(servers, "batches", 3).await?;
    let consumer = pipeline.start_consumer().await?;
    let gateway = Gateway::start_with(kafka.bootstrap(), &pipeline.topic, |gateway| {
        gateway.env("AUDIT_DEADLINE", "3s")
    })
    .await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    let mut round = 0;
    // Rounds go on until enough was acknowledged: a busy machine may not make it within the deadline at first.
    while round < 6 || acknowledged.len() <= 1_000 {
        ensure!(round < 100, "{} acknowledged in {round} rounds", acknowledged.len());
        let (lines, poisoned) = lines(&mut generator, 500)?;
        // The broker dies with a batch under way, is away for the next one, and comes back.
        let killed = async { if round == 2 { kafka.kill(1).await } else { Ok(()) } };
        let (answer, killed) = tokio::join!(gateway.post_lines(&lines), killed);
        killed?;
        if round == 3 {
            kafka.restart(1).await?;
        }
        let results = results(&answer?)?;
        assert_eq!(results.len(), poisoned.len());
        for (result, is_poison) in results.into_iter().zip(poisoned) {
            match result {
                Ok(at) => {
                    ensure!(!is_poison, "poison was acknowledged: {at:?}");
                    acknowledged.push(at);
                }
                Err(problem) => {
                    ensure!(problem["status"] == if is_poison { 400 } else { 503 }, "{problem}");
                    refused += usize::from(!is_poison);
                }
            }
        }
        round += 1;
    }
    assert!(refused > 0, "an outage was noticed");
    let records = kafka.read_all(&pipeline.topic).await?;
    assert_eq!(lost(&acknowledged, &records), []);
    assert_eq!(pipeline.verify().await?.dead_letters, 0);
    pipeline.stop(&consumer).await
}

#[tokio::test]
async fn sixteen_mebibytes_are_taken_and_one_byte_more_is_not() -> Result<()> {
    let pipeline = Pipeline::shared("large_batch", 2).await?;
    let consumer = pipeline.start_consumer().await?;
    let kafka = pipeline.servers.kafka;
    let gateway = Gateway::start_with(kafka.bootstrap(), &pipeline.topic, |gateway| {
        gateway.env("AUDIT_DEADLINE", "60s")
    })
    .await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let mut lines = Vec::new();
    for _ in 0..16 {
        lines.extend(padded(&mut generator, MIB - 1)?);
        lines.push(b'\n');
    }
    assert_eq!(lines.len(), 16 * MIB);
    let results = results(&gateway.post_lines(&lines).await?)?;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 16, "{results:?}");

    lines.push(b'\n');
    let answer = gateway.post_lines(&lines).await?;
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert_eq!(pipeline.verify().await?.ids, 16);
    pipeline.stop(&consumer).await
}

/// A broker that cannot be reached keeps every batch waiting for places.
#[tokio::test]
async fn memory_stays_bounded_under_many_large_batches() -> Result<()> {
    let brokers = format!("127.0.0.1:{}", free_port());
    let gateway = Gateway::start_with(&brokers, "nowhere", |gateway| {
        gateway
            .env("AUDIT_MAX_CONCURRENCY", "32")
            .env("AUDIT_QUEUE_MIB", "2")
            .env("AUDIT_DEADLINE", "15s")
    })
    .await?;
    let mut generator = Generator::new(SEED + 2, Utc::now());
    let mut events = Vec::new();
    for _ in 0..15 {
        events.push(String::from_utf8(padded(&mut generator, MIB - 1)?)?);
    }
    let array = format!("[{}]", events.join(","));
    let headers = [("content-type", "application/json")];
    let answers = join_all(
        (0..32).map(|_| http::post(gateway.address, BATCH_PATH, &headers, array.as_bytes())),
    )
    .await;
    // Those that find no room are told before their bodies are read; that may look like a broken connection.
    let taken = answers.iter().flatten().filter(|answer| answer.status == 207).count();
    assert!((1..=4).contains(&taken), "{taken} taken");
    // All 32 at once would take 480 MiB for their bodies alone.
    let peak = gateway.service.peak_memory()?;
    assert!(peak < 256 << 20, "{} MiB", peak >> 20);

    let event = generator.event(IdKind::Dated).value();
    let answer = gateway.post(&event).await?;
    assert_eq!(answer.status, 503, "there is room again: {}", answer.text());
    Ok(())
}

/// So many events, one per line, some of them twice or poison; and which of the lines are poison.
fn lines(generator: &mut Generator, events: usize) -> Result<(Vec<u8>, Vec<bool>)> {
    let (mut lines, mut poisoned) = (Vec::new(), Vec::new());
    for event in generator.events(events) {
        let mut add = |line: &[u8], is_poison| {
            lines.extend_from_slice(line);
            lines.extend_from_slice(b"\r\n\n");
            poisoned.push(is_poison);
        };
        add(&event.value(), false);
        match generator.random().u8(..8) {
            0 => add(&event.value(), false),
            1 => {
                let code = POISON[generator.random().usize(..POISON.len())];
                add(&generator.poison(code).value.context("a value")?, true);
            }
            _ => {}
        }
    }
    Ok((lines, poisoned))
}

/// An event of so many bytes: a field without a column of its own makes it large.
fn padded(generator: &mut Generator, size: usize) -> Result<Vec<u8>> {
    let event = generator.event(IdKind::Dated).value();
    let frame = br#"{"padding":"","#.len() - 1;
    let padding = size.checked_sub(event.len() + frame).context("the event is larger")?;
    Ok([format!(r#"{{"padding":"{}","#, "x".repeat(padding)).as_bytes(), &event[1..]].concat())
}
