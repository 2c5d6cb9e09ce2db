//! A trace goes from the request to the commit of its record, and costs nothing that matters.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use audit_schema::problem::Code;
use audit_tests::{
    binary::Binary,
    eventually,
    gateway::{Gateway, acknowledged},
    generator::{Generator, IdKind},
    kafka::RawRecord,
    otlp::{Collector, ReceivedSpan, SpanKind},
    pipeline::Pipeline,
    service::Service,
};
use chrono::Utc;
use tokio::net::TcpListener;

const SEED: u64 = 0x0A0D_7001;
const LIMIT: Duration = Duration::from_secs(60);
const SENT: &str = "kubernaut_audit_trace_spans_total";

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

#[tokio::test]
async fn a_trace_goes_from_the_request_to_the_commit() -> Result<()> {
    let collector = Collector::start().await?;
    let pipeline = Pipeline::shared("traces", 1).await?;
    let (gateway, consumer) = traced(&pipeline, &collector.endpoint()).await?;
    let event = Generator::new(SEED, Utc::now()).event(IdKind::Dated);
    let client = format!("00-{TRACE}-{CLIENT}-01");
    let answer = gateway.post_with(&[("traceparent", &client)], &event.value()).await?;
    let id = acknowledged(&answer)?.id.to_string();

    let request = one(&collector, SpanKind::Server, "POST /api/v1/").await?;
    assert_eq!((request.trace().as_str(), request.parent().as_str()), (TRACE, CLIENT));
    assert_eq!(request.service, "audit-producer");
    assert_eq!(request.attribute("http.response.status_code").as_deref(), Some("201"));
    let route = "/api/v1/audit/workflow-execution";
    assert_eq!(request.attribute("http.route").as_deref(), Some(route));

    let send = one(&collector, SpanKind::Producer, "send ").await?;
    assert_eq!((send.trace(), send.parent()), (request.trace(), request.id()));
    assert_eq!(send.attribute("messaging.system").as_deref(), Some("kafka"));
    assert_eq!(send.attribute("messaging.destination.name"), Some(pipeline.topic.clone()));
    assert_eq!(send.attribute("messaging.kafka.message.key").as_deref(), Some(id.as_str()));
    assert_eq!(send.attribute("messaging.kafka.offset").as_deref(), Some("0"));
    let records = pipeline.servers.kafka.read_all(&pipeline.topic).await?;
    let carried = format!("00-{TRACE}-{}-01", send.id());
    assert_eq!(traceparent(&records[0]), Some(carried), "the record carries the span that sent it");

    let store = one(&collector, SpanKind::Consumer, "store ").await?;
    assert_eq!((store.trace(), store.parent()), (send.trace(), send.id()));
    assert_eq!(store.service, "audit-consumer");
    assert_eq!(store.attribute("kubernaut_audit.disposition").as_deref(), Some("stored"));
    assert_eq!(store.attribute("messaging.destination.partition.id").as_deref(), Some("0"));
    assert_eq!(store.attribute("messaging.consumer.group.name"), Some(pipeline.group.clone()));

    let commit = one(&collector, SpanKind::Consumer, "commit ").await?;
    assert_eq!(commit.parent(), "", "a batch is of many traces, so it begins one");
    assert_ne!(commit.trace(), TRACE);
    assert_eq!(commit.links(), [(send.trace(), send.id())]);
    assert_eq!(store.links(), [(commit.trace(), commit.id())]);
    assert_eq!(commit.attribute("messaging.batch.message_count").as_deref(), Some("1"));
    assert_eq!(commit.attribute("kubernaut_audit.records.stored").as_deref(), Some("1"));
    assert_eq!(commit.attribute("kubernaut_audit.retries").as_deref(), Some("0"));
    for span in [&request, &send, &store, &commit] {
        assert!(!span.is_error(), "{span:?}");
        assert!(span.span.end_time_unix_nano >= span.span.start_time_unix_nano, "{span:?}");
    }
    pipeline.stop(&consumer).await?;
    assert_eq!(collector.spans().len(), 4);
    Ok(())
}

#[tokio::test]
async fn a_trace_begins_here_unless_the_client_has_one() -> Result<()> {
    let collector = Collector::start().await?;
    let pipeline = Pipeline::shared("own_traces", 1).await?;
    let (gateway, consumer) = traced(&pipeline, &collector.endpoint()).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    // What is no traceparent counts as none; what is not sampled by its client is not here either.
    let unsampled = format!("00-{TRACE}-{CLIENT}-00");
    for headers in [&[][..], &[("traceparent", "00-nonsense")], &[("traceparent", &unsampled)]] {
        let event = generator.event(IdKind::Dated).value();
        acknowledged(&gateway.post_with(headers, &event).await?)?;
    }
    // An error of the client's is none of the server's.
    ensure!(gateway.post(b"{").await?.status == 400);
    pipeline.verify().await?;
    pipeline.stop(&consumer).await?;
    stop(&gateway.service).await?;

    let spans = collector.spans();
    let named = |name: &str| -> Vec<&ReceivedSpan> {
        spans.iter().filter(|span| span.span.name.starts_with(name)).collect()
    };
    let (requests, sends, stores) = (named("POST "), named("send "), named("store "));
    assert_eq!((requests.len(), sends.len(), stores.len()), (3, 2, 2));
    assert!(requests.iter().all(|request| request.parent().is_empty() && !request.is_error()));
    for send in &sends {
        assert!(requests.iter().any(|request| request.id() == send.parent()), "{send:?}");
        let store = stores.iter().find(|store| store.parent() == send.id()).context("no store")?;
        assert_eq!(store.trace(), send.trace());
    }
    assert!(spans.iter().all(|span| span.trace() != TRACE), "{spans:?}");
    let links = named("commit ").iter().map(|commit| commit.links().len()).sum::<usize>();
    assert_eq!(links, 2, "a record that is not sampled is not linked to");
    let records = pipeline.servers.kafka.read_all(&pipeline.topic).await?;
    let carried = traceparent(&records[2]).context("a traceparent")?;
    assert!(carried.starts_with(&format!("00-{TRACE}-")) && carried.ends_with("-00"), "{carried}");
    Ok(())
}

#[tokio::test]
async fn what_goes_wrong_shows_in_the_trace() -> Result<()> {
    let collector = Collector::start().await?;
    let pipeline = Pipeline::shared("failed_traces", 1).await?;
    let (_, consumer) = traced(&pipeline, &collector.endpoint()).await?;
    let mut generator = Generator::new(SEED + 2, Utc::now());
    let trace = format!("00-{TRACE}-{CLIENT}-01");
    let poison = generator.poison(Code::InvalidJson).with_header("traceparent", trace.clone());
    let event = generator.event(IdKind::Dated).bare_record().with_header("traceparent", trace);
    let repeated = vec![poison, event.clone(), event];
    pipeline.servers.kafka.publish(&pipeline.topic, repeated).await?;

    let stores = collector.wait_for(SpanKind::Consumer, "store ", 3).await?;
    let mut became: Vec<_> = stores
        .iter()
        .map(|store| (store.attribute("kubernaut_audit.disposition"), store.is_error()))
        .collect();
    became.sort();
    let expected = [("dead_lettered", true), ("duplicate", false), ("stored", false)];
    assert_eq!(became, expected.map(|(name, error)| (Some(name.to_owned()), error)));
    let dead = stores.iter().find(|store| store.is_error()).context("a dead letter")?;
    assert_eq!(dead.attribute("error.type").as_deref(), Some(Code::InvalidJson.as_str()));

    // Nobody listens where this gateway looks for a broker.
    let gateway = Gateway::start_with("127.0.0.1:1", &pipeline.topic, |gateway| {
        gateway.env("AUDIT_OTLP_ENDPOINT", collector.endpoint()).env("AUDIT_DEADLINE", "1s")
    })
    .await?;
    ensure!(gateway.post(&generator.event(IdKind::Dated).value()).await?.status == 503);
    let send = one(&collector, SpanKind::Producer, "send ").await?;
    let request = one(&collector, SpanKind::Server, "POST ").await?;
    assert!(send.is_error() && request.is_error(), "{send:?} {request:?}");
    assert_eq!(send.attribute("error.type").as_deref(), Some("deadline"));
    assert_eq!(request.attribute("error.type").as_deref(), Some("503"));
    pipeline.stop(&consumer).await
}

/// However many records of a batch are traced, it makes a bounded number of spans and links.
#[tokio::test]
async fn a_batch_of_traces_is_bounded() -> Result<()> {
    let collector = Collector::start().await?;
    let pipeline = Pipeline::shared("many_traces", 1).await?;
    let mut generator = Generator::new(SEED + 3, Utc::now());
    let traced = |(number, event): (usize, &audit_tests::generator::Event)| {
        let trace = format!("00-{:032x}-{CLIENT}-01", number + 1);
        event.bare_record().with_header("traceparent", trace)
    };
    let records = generator.events(300).iter().enumerate().map(traced).collect();
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline
        .consumer()
        .env("AUDIT_OTLP_ENDPOINT", collector.endpoint())
        .env("AUDIT_LINGER", "5s")
        .start_ready()
        .await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await?;

    let spans = collector.spans();
    let commit = |span: &&ReceivedSpan| span.span.name.starts_with("commit ");
    let commits: Vec<_> = spans.iter().filter(commit).collect();
    let links: usize = commits.iter().map(|commit| commit.links().len()).sum();
    assert!(commits.iter().any(|commit| commit.links().len() == 128), "{links} links");
    assert!(commits.iter().all(|commit| commit.links().len() <= 128));
    assert_eq!(spans.len() - commits.len(), links, "a span for each link");
    Ok(())
}

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

/// A gateway and a consumer that send their traces there.
async fn traced(pipeline: &Pipeline<'_>, endpoint: &str) -> Result<(Gateway, Service)> {
    let kafka = pipeline.servers.kafka.bootstrap();
    let variable = "AUDIT_OTLP_ENDPOINT";
    let gateway =
        Gateway::start_with(kafka, &pipeline.topic, |gateway| gateway.env(variable, endpoint));
    let consumer = pipeline.consumer().env(variable, endpoint).start_ready();
    Ok((gateway.await?, consumer.await?))
}

async fn one(collector: &Collector, kind: SpanKind, name: &str) -> Result<ReceivedSpan> {
    let spans = collector.wait_for(kind, name, 1).await?;
    ensure!(spans.len() == 1, "{} spans `{name}`", spans.len());
    spans.into_iter().next().context("no span")
}

fn traceparent(record: &RawRecord) -> Option<String> {
    let found = record.headers.iter().find(|(name, _)| name == "traceparent")?;
    Some(String::from_utf8_lossy(found.1.as_deref()?).into_owned())
}

/// Ends a service in the orderly way, which must succeed within the 20 seconds it has.
async fn stop(service: &Service) -> Result<()> {
    let status = service.terminate(Duration::from_secs(20)).await?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}
