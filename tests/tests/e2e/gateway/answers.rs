//! Requests that are no event: each is told what is wrong, and nothing of it reaches the topic.

use anyhow::{Context, Result, ensure};
use audit_schema::problem::Code;
use audit_tests::{
    gateway::{Gateway, PATH, acknowledged},
    generator::{Generator, IdKind},
    http::{self, Response},
    shared,
};
use chrono::Utc;

const SEED: u64 = 0x0A0D_2002;

#[tokio::test]
async fn invalid_events_are_refused_with_the_field_named() -> Result<()> {
    let (gateway, topic) = gateway("invalid").await?;
    let mut generator = Generator::new(SEED, Utc::now());
    for (code, field) in [
        (Code::MissingField, "workflow_name"),
        (Code::WrongType, "total_steps"),
        (Code::OutOfRange, "effectiveness_score"),
        (Code::TooLong, "status"),
        (Code::InvalidOutcome, "outcome"),
        (Code::InvalidId, "id"),
        (Code::InvalidTimestamp, "completed_at"),
        (Code::DuplicateKey, "status"),
        (Code::NulCharacter, "error_message"),
        (Code::LoneSurrogate, "error_message"),
        (Code::NumberOutOfRange, "number"),
    ] {
        let poison = generator.poison(code).value.context("a value")?;
        let answer = gateway.post(&poison).await?;
        is_problem(&answer, 400, "invalid-event")?;
        let error = &answer.json()?["errors"][0];
        assert_eq!(
            (error["code"].as_str(), error["field"].as_str()),
            (Some(code.as_str()), Some(field))
        );
        assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{error}");
    }
    for code in [Code::InvalidUtf8, Code::InvalidJson, Code::NotAnObject, Code::TooDeep] {
        let poison = generator.poison(code).value.context("a value")?;
        let answer = gateway.post(&poison).await?;
        is_problem(&answer, 400, "invalid-event")?;
        assert_eq!(answer.json()?["errors"][0]["code"], code.as_str());
    }
    let answer = gateway.post_with(&[("idempotency-key", "\"")], b"{}").await?;
    is_problem(&answer, 400, "invalid-header")?;
    assert_eq!(answer.json()?["errors"][0]["field"], "Idempotency-Key");

    let records = shared::kafka().await?.read_all(&topic).await?;
    assert!(records.is_empty(), "{} records", records.len());
    Ok(())
}

#[tokio::test]
async fn what_is_no_event_at_all_is_a_problem_too() -> Result<()> {
    let (gateway, topic) = gateway("problems").await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let event = generator.event(IdKind::Dated).value();
    let too_large = generator.poison(Code::TooLarge).value.context("a value")?;

    is_problem(&gateway.post(&too_large).await?, 413, "too-large")?;
    let plain = http::post(gateway.address, PATH, &[("content-type", "text/plain")], &event);
    is_problem(&plain.await?, 415, "unsupported-media-type")?;
    let untyped = http::post(gateway.address, PATH, &[], &event);
    is_problem(&untyped.await?, 415, "unsupported-media-type")?;
    is_problem(&http::get(gateway.address, "/api/v1/audit").await?, 404, "not-found")?;
    let got = http::get(gateway.address, PATH).await?;
    is_problem(&got, 405, "method-not-allowed")?;
    assert_eq!(got.header("allow"), Some("POST"));

    let records = shared::kafka().await?.read_all(&topic).await?;
    assert!(records.is_empty(), "{} records", records.len());
    let metrics = gateway.service.metrics().await?;
    let count = |code| metrics.sum("kubernaut_audit_http_requests_total", &[("code", code)]);
    assert_eq!([count("413"), count("415"), count("404"), count("405")], [1.0, 2.0, 1.0, 1.0]);
    Ok(())
}

#[tokio::test]
async fn a_trace_is_carried_into_the_record() -> Result<()> {
    let (gateway, topic) = gateway("trace").await?;
    let event = Generator::new(SEED + 2, Utc::now()).event(IdKind::Dated);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = gateway.post_with(&[("traceparent", trace)], &event.value()).await?;
    let id = acknowledged(&answer)?.id.to_string();

    let records = shared::kafka().await?.read_all(&topic).await?;
    let header = |name: &str| {
        let mut found = records[0].headers.iter().filter(|(header, _)| header == name);
        let value = found.next().and_then(|(_, value)| value.as_deref());
        value.map(|value| String::from_utf8_lossy(value).into_owned())
    };
    assert_eq!(header("traceparent").as_deref(), Some(trace));
    assert_eq!(header("ce_subject").as_deref(), Some(id.as_str()));
    assert_eq!(header("ce_type").as_deref(), Some(audit_schema::topic::CE_TYPE));
    assert_eq!(records[0].key.as_deref(), Some(id.as_bytes()));
    assert_eq!(
        records[0].value.as_deref(),
        Some(event.value().as_slice()),
        "the bytes as they came"
    );
    Ok(())
}

async fn gateway(name: &str) -> Result<(Gateway, String)> {
    let kafka = shared::kafka().await?;
    let topic = shared::unique(name);
    kafka.create_audit_topic(&topic, 1).await?;
    Ok((Gateway::start(kafka.bootstrap(), &topic).await?, topic))
}

fn is_problem(answer: &Response, status: u16, kind: &str) -> Result<()> {
    ensure!(answer.status == status, "{} {}", answer.status, answer.text());
    ensure!(answer.header("content-type") == Some("application/problem+json"), "{answer:?}");
    let body = answer.json()?;
    ensure!(body["type"] == format!("urn:kubernaut-audit:problem:{kind}"), "{body}");
    ensure!(body["status"] == status && body["title"].is_string(), "{body}");
    Ok(())
}
