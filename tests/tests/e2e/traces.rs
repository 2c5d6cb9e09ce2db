//! A trace goes from the request to the commit of its record, and costs nothing that matters.

mod options;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use audit_schema::problem::Code;
use audit_tests::{
    eventually,
    gateway::{Gateway, acknowledged},
    generator::{Generator, IdKind},
    kafka::RawRecord,
    otlp::{Collector, ReceivedSpan, SpanKind},
    pipeline::Pipeline,
    service::Service,
};
use chrono::Utc;

const SEED: u64 = 0x0A0D_7001;
const LIMIT: Duration = Duration::from_secs(120);
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
    // Not left to the end of the services, which does not wait for long.
    collector.wait_for(SpanKind::Server, "POST ", 3).await?;
    collector.wait_for(SpanKind::Producer, "send ", 2).await?;
    collector.wait_for(SpanKind::Consumer, "store ", 2).await?;
    eventually(LIMIT, "the commits of two records", async || {
        let commits = collector.wait_for(SpanKind::Consumer, "commit ", 1).await?;
        let links: usize = commits.iter().map(|commit| commit.links().len()).sum();
        ensure!(links >= 2, "{links} links");
        Ok(())
    })
    .await?;
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
    // Not left to the end of the consumer, which does not wait for long.
    eventually(LIMIT, "a span for each link, of which one batch has many", async || {
        let commits = collector.wait_for(SpanKind::Consumer, "commit ", 1).await?;
        let links: Vec<usize> = commits.iter().map(|commit| commit.links().len()).collect();
        let others = collector.spans().len() - commits.len();
        ensure!(links.iter().sum::<usize>() == others, "{links:?} links, {others} spans");
        ensure!(links.iter().max() == Some(&128), "{links:?} links");
        Ok(())
    })
    .await?;
    pipeline.stop(&consumer).await
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

/// Ends a service in the orderly way, which must succeed.
async fn stop(service: &Service) -> Result<()> {
    let status = service.terminate(LIMIT).await?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}
