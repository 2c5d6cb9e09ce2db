//! Whether there are traces, which, and for which collector: none of it stands in the way of events.

use anyhow::{Context, Result, ensure};
use audit_tests::{
    binary::Binary,
    eventually,
    gateway::{Gateway, acknowledged},
    generator::{Generator, IdKind},
    otlp::Collector,
    pipeline::Pipeline,
    service::Service,
};
use chrono::Utc;
use tokio::net::TcpListener;

use super::{CLIENT, LIMIT, SEED, SENT, TRACE, stop, traced, traceparent};

#[tokio::test]
async fn a_collector_that_is_away_or_silent_costs_nothing_but_spans() -> Result<()> {
    let pipeline = Pipeline::shared("no_collector", 1).await?;
    let mut generator = Generator::new(SEED + 4, Utc::now());
    // A port that takes connections and never answers, and one that nobody listens at.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let silent = format!("http://{}", listener.local_addr()?);
    for endpoint in ["http://127.0.0.1:1", &silent] {
        let (gateway, consumer) = traced(&pipeline, endpoint).await?;
        for _ in 0..20 {
            acknowledged(&gateway.post(&generator.event(IdKind::Dated).value()).await?)?;
        }
        pipeline.verify().await?;
        if endpoint != silent {
            for service in [&gateway.service, &consumer] {
                fails_quietly(service, &gateway, &mut generator).await?;
            }
        }
        stop(&gateway.service).await?;
        pipeline.stop(&consumer).await?;
    }
    Ok(())
}

/// Spans are given up again and again, and the log says so once.
async fn fails_quietly(
    service: &Service,
    gateway: &Gateway,
    generator: &mut Generator,
) -> Result<()> {
    let failed =
        || async { anyhow::Ok(service.metrics().await?.sum(SENT, &[("outcome", "failed")])) };
    let mut before = 0.0;
    for _ in 0..2 {
        acknowledged(&gateway.post(&generator.event(IdKind::Dated).value()).await?)?;
        before = eventually(LIMIT, "further spans to fail", async || {
            let now = failed().await?;
            ensure!(now > before, "{now}");
            Ok(now)
        })
        .await?;
    }
    let log = service.log()?;
    let lines = log.lines().filter(|line| line.contains("does not take traces")).count();
    assert_eq!(lines, 1, "{log}");
    Ok(())
}

#[tokio::test]
async fn without_the_option_nothing_is_sent_and_nothing_changes() -> Result<()> {
    let collector = Collector::start().await?;
    let pipeline = Pipeline::shared("untraced", 1).await?;
    // The variable of OpenTelemetry's own is no request for traces.
    let variable = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let consumer = pipeline.consumer().env(variable, collector.endpoint()).start_ready().await?;
    let kafka = pipeline.servers.kafka.bootstrap();
    let gateway = Gateway::start_with(kafka, &pipeline.topic, |gateway| {
        gateway.env(variable, collector.endpoint())
    })
    .await?;
    let client = format!("00-{TRACE}-{CLIENT}-01");
    let mut generator = Generator::new(SEED + 5, Utc::now());
    for headers in [&[("traceparent", client.as_str())][..], &[]] {
        let event = generator.event(IdKind::Dated).value();
        acknowledged(&gateway.post_with(headers, &event).await?)?;
    }
    pipeline.verify().await?;
    for service in [&consumer, &gateway.service] {
        assert!(service.metrics().await?.iter().all(|(series, _)| !series.starts_with(SENT)));
    }
    pipeline.stop(&consumer).await?;
    stop(&gateway.service).await?;
    let records = pipeline.servers.kafka.read_all(&pipeline.topic).await?;
    assert_eq!(traceparent(&records[0]), Some(client));
    assert_eq!(traceparent(&records[1]), None);
    assert!(collector.spans().is_empty());
    Ok(())
}

#[tokio::test]
async fn the_share_of_traces_that_begin_here_can_be_chosen() -> Result<()> {
    let collector = Collector::start().await?;
    let pipeline = Pipeline::shared("sampled", 1).await?;
    let kafka = pipeline.servers.kafka.bootstrap();
    let gateway = Gateway::start_with(kafka, &pipeline.topic, |gateway| {
        gateway
            .env("AUDIT_OTLP_ENDPOINT", collector.endpoint())
            .env("OTEL_SERVICE_NAME", "audit-gateway-eu")
            .args(["--trace-sample-ratio", "0"])
    })
    .await?;
    let mut generator = Generator::new(SEED + 6, Utc::now());
    let client = format!("00-{TRACE}-{CLIENT}-01");
    for headers in [&[][..], &[("traceparent", client.as_str())]] {
        let event = generator.event(IdKind::Dated).value();
        acknowledged(&gateway.post_with(headers, &event).await?)?;
    }
    stop(&gateway.service).await?;
    let spans = collector.spans();
    assert_eq!(spans.len(), 2, "{spans:?}");
    assert!(spans.iter().all(|span| span.trace() == TRACE && span.service == "audit-gateway-eu"));
    let records = pipeline.servers.kafka.read_all(&pipeline.topic).await?;
    assert!(traceparent(&records[0]).is_some_and(|carried| carried.ends_with("-00")));
    Ok(())
}

#[tokio::test]
async fn what_is_no_endpoint_is_refused() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("audit.toml");
    std::fs::write(&file, "otlp-endpoint = \"grpc://collector:4317\"\n")?;
    let file = file.to_str().context("a path in UTF-8")?;
    for (binary, command) in [("audit-producer", "gateway"), ("audit-consumer", "run")] {
        let command = || Binary::new(binary).args([command]);
        for (bad, place) in [
            (command().args(["--otlp-endpoint", "collector:4318"]), "--otlp-endpoint"),
            (command().env("AUDIT_OTLP_ENDPOINT", "http://"), "AUDIT_OTLP_ENDPOINT"),
            (command().args(["--config", file]), "otlp-endpoint"),
        ] {
            let output = bad.run().await?;
            assert_eq!(output.code, Some(2), "{}", output.stderr);
            assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
            assert!(output.stderr.contains(place), "{}", output.stderr);
            assert!(output.stderr.contains("such as http://localhost:4318"), "{}", output.stderr);
        }
    }
    let ratio = Binary::new("audit-producer").args(["gateway", "--trace-sample-ratio", "1.5"]);
    let output = ratio.run().await?;
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("from 0 to 1"), "{}", output.stderr);
    Ok(())
}
