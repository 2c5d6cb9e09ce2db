//! What the gateway shows.

use anyhow::{Result, ensure};
use audit_tests::{
    certificates::Authority,
    gateway::{Gateway, PATH, acknowledged},
    generator::{Generator, IdKind},
    http,
    mount::Mount,
    shared,
};
use chrono::Utc;
use futures_util::future::try_join;

use super::{LIMIT, NO_COLLECTOR, Seen, becomes, begin_at_zero, reaches};

const SEED: u64 = 0x0A0D_8001;
const REQUESTS: &str = "kubernaut_audit_http_requests_total";
const PUBLISHED: &str = "kubernaut_audit_publish_total";

#[tokio::test]
async fn every_metric_of_the_gateway_moves() -> Result<()> {
    let kafka = shared::kafka().await?;
    let topic = shared::unique("gateway_metrics");
    kafka.create_audit_topic(&topic, 2).await?;
    let gateway = Gateway::start_with(kafka.bootstrap(), &topic, |gateway| {
        gateway.env("AUDIT_OTLP_ENDPOINT", NO_COLLECTOR)
    })
    .await?;
    let service = &gateway.service;
    let mut seen = Seen::default();
    let start = service.metrics().await?;
    let codes =
        ["201", "207", "400", "401", "403", "405", "408", "413", "415", "429", "500", "503"];
    begin_at_zero(&start, REQUESTS, "code", &codes)?;
    begin_at_zero(&start, REQUESTS, "route", &["_other"])?;
    let outcomes =
        ["acknowledged", "invalid", "queue_full", "deadline", "refused", "client_failed", "closed"];
    begin_at_zero(&start, PUBLISHED, "outcome", &outcomes)?;

    let mut generator = Generator::new(SEED, Utc::now());
    let events = generator.events(100);
    let load = async {
        for event in &events {
            acknowledged(&gateway.post(&event.value()).await?)?;
        }
        anyhow::Ok(())
    };
    let scrapes = async {
        for _ in 0..20 {
            seen.scrape(service).await?;
        }
        Ok(())
    };
    try_join(load, scrapes).await?;
    ensure!(gateway.post(b"{}").await?.status == 400);
    ensure!(http::get(gateway.address, "/no/such/path").await?.status == 404);
    ensure!(http::get(gateway.address, PATH).await?.status == 405);
    ensure!(http::post(gateway.address, PATH, &[], b"{}").await?.status == 415);

    for (code, count) in [("201", 100.0), ("400", 1.0), ("405", 1.0), ("415", 1.0)] {
        becomes(service, REQUESTS, &[("route", PATH), ("code", code)], count).await?;
    }
    becomes(service, REQUESTS, &[("route", "_other"), ("code", "404")], 1.0).await?;
    becomes(service, PUBLISHED, &[("outcome", "acknowledged")], 100.0).await?;
    becomes(service, "kubernaut_audit_publish_ack_seconds_count", &[], 100.0).await?;
    becomes(service, "kubernaut_audit_http_request_seconds_count", &[], 104.0).await?;
    becomes(service, "kubernaut_audit_publish_queue_records", &[], 0.0).await?;
    reaches(service, "kubernaut_audit_trace_spans_total", &[("outcome", "failed")], 1.0).await?;
    seen.scrape(service).await?;
    seen.scrape(&guarded().await?.service).await?;
    seen.are_documented(&["Both services", "Gateway"]);
    Ok(())
}

/// One that has all that a gateway can have; nothing is published by it.
async fn guarded() -> Result<Gateway> {
    let pair = Authority::new()?.server(&["localhost"])?;
    let tokens = "payments tok-payments-6f1c0e9b2d7a4c5f";
    let mount =
        Mount::new(&[("cert", &pair.cert_pem), ("key", &pair.key_pem), ("tokens", tokens)])?;
    let path = |name| mount.path(name).display().to_string();
    Gateway::start_with("127.0.0.1:1", "nowhere", |gateway| {
        gateway
            .env("AUDIT_TLS_CERT", path("cert"))
            .env("AUDIT_TLS_KEY", path("key"))
            .env("AUDIT_AUTH", "token-file")
            .env("AUDIT_TOKEN_FILE", path("tokens"))
    })
    .await
}

#[tokio::test]
async fn a_broker_that_is_away_shows_in_the_metrics() -> Result<()> {
    let gateway =
        Gateway::start_with("127.0.0.1:1", "t", |gateway| gateway.env("AUDIT_DEADLINE", "10s"))
            .await?;
    let service = &gateway.service;
    let event = Generator::new(SEED + 1, Utc::now()).event(IdKind::Dated).value();
    let answer = gateway.post(&event);
    let queued = async {
        becomes(service, "kubernaut_audit_publish_queue_records", &[], 1.0).await?;
        becomes(service, "kubernaut_audit_publish_queue_records", &[], 0.0).await
    };
    let (answer, ()) = try_join(answer, queued).await?;
    assert_eq!(answer.status, 503);
    becomes(service, PUBLISHED, &[("outcome", "deadline")], 1.0).await?;
    becomes(service, REQUESTS, &[("route", PATH), ("code", "503")], 1.0).await?;
    becomes(service, "kubernaut_audit_publish_ack_seconds_count", &[], 0.0).await?;
    service.terminate(LIMIT).await?;
    Ok(())
}
