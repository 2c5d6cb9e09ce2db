//! `audit-producer gateway`: events over HTTP, for controllers that are not written in Rust.
//!
//! `POST /api/v1/audit/workflow-execution` with the event as JSON (`application/json`, at most 1 MiB) answers
//!
//! | status | meaning | send again? |
//! |---|---|---|
//! | 201 | every in-sync replica has the event: `{"id","topic","partition","offset"}` | no |
//! | 400 | the event, or a header, is wrong; `errors` names each field | no |
//! | 408 | the body did not arrive in time | yes |
//! | 413, 415 | larger than 1 MiB; not `application/json` | no |
//! | 429 | too many requests are under way here | yes, after `Retry-After` |
//! | 503 | Kafka did not take it in time, or the queue is full | yes, after `Retry-After` |
//! | 500 | the broker says that it will never take this event | no: tell an operator |
//!
//! Errors are problem details (RFC 9457, `application/problem+json`). An event may be sent any number of times: its id,
//! its `Idempotency-Key` or its content tells that it is the same one. Only 201 means that it is kept; after a 503 or a
//! lost connection it may or may not be, which is what sending it again is for.

mod idempotency;
mod metrics;
mod problem;
mod publish;
mod routes;
mod server;
mod trace;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use audit_producer::{AuditPublisher, PublisherOptions};
use audit_runtime::admin::{AdminOptions, Health};
use audit_runtime::exit::{ExitCode, UsageError};
use audit_runtime::kafka::KafkaOptions;
use audit_runtime::telemetry::{TraceOptions, Traces};
use audit_runtime::{admin, duration, listen, metrics as process_metrics, signals};
use axum::middleware::map_response_with_state;
use tokio_util::sync::CancellationToken;

use routes::Gateway;

/// Options of `audit-producer gateway`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    kafka: KafkaOptions,

    /// Address events are taken at
    #[arg(long, env = "AUDIT_LISTEN", default_value = "0.0.0.0:8085", value_name = "IP:PORT")]
    listen: SocketAddr,

    /// CloudEvents source of the events: a URI reference. Idempotency keys are scoped by it
    #[arg(long, env = "AUDIT_SOURCE", default_value = "/gateway", value_name = "URI")]
    source: String,

    /// How long Kafka may take to acknowledge an event before its sender is told 503
    #[arg(long, env = "AUDIT_DEADLINE", default_value = "5s", value_parser = deadline, value_name = "DURATION")]
    deadline: Duration,

    /// How much may wait for its acknowledgement, in MiB
    #[arg(long, env = "AUDIT_QUEUE_MIB", default_value_t = 64, value_parser = clap::value_parser!(u16).range(2..=2048), value_name = "MIB")]
    queue_mib: u16,

    /// How long to go on taking events once told to stop, so that load balancers learn of it first
    #[arg(long, env = "AUDIT_DRAIN_DELAY", default_value = "1s", value_parser = duration::parse, value_name = "DURATION")]
    drain_delay: Duration,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    admin: AdminOptions,

    #[command(flatten)]
    traces: TraceOptions,

    /// Share of the traces that begin here to keep, from 0 to 1; one that a client began is kept if the client says so
    #[arg(long, env = "AUDIT_TRACE_SAMPLE_RATIO", default_value = "1", value_parser = ratio, value_name = "RATIO", help_heading = "Traces")]
    trace_sample_ratio: f64,
}

/// What clients may use of the gateway.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
struct Limits {
    /// Requests under way at once, each with up to 1 MiB; one more is told 429
    #[arg(long, env = "AUDIT_MAX_CONCURRENCY", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..), value_name = "REQUESTS")]
    max_concurrency: u32,

    /// How long the body of a request may take to arrive
    #[arg(long, env = "AUDIT_BODY_TIMEOUT", default_value = "10s", value_parser = duration::parse, value_name = "DURATION")]
    body_timeout: Duration,

    /// How long a connection may take to send the head of its next request, before it is closed
    #[arg(long, env = "AUDIT_IDLE_TIMEOUT", default_value = "30s", value_parser = duration::parse, value_name = "DURATION")]
    idle_timeout: Duration,
}

/// Serves until SIGTERM or SIGINT, then finishes what it has accepted.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let stop = signals::shutdown_token().context("cannot listen for signals")?;
    let registry = process_metrics::registry("audit-producer");
    let traces =
        Traces::start(&options.traces, "audit-producer", options.trace_sample_ratio, &registry)?;
    let health = Health::new();
    let publisher = AuditPublisher::new(&PublisherOptions {
        brokers: options.kafka.brokers.clone(),
        topic: options.kafka.topic.clone(),
        source: options.source.clone(),
        deadline: options.deadline,
        queue_bytes: usize::from(options.queue_mib) * 1024 * 1024,
        properties: options.kafka.properties(),
        registry: Some(registry.clone()),
    })
    .map_err(|error| UsageError(format!("cannot start the publisher: {error}")))?;
    let gateway = Gateway::new(
        publisher.clone(),
        &options.source,
        &options.limits,
        health.clone(),
        &registry,
    )?
    .traced(traces.tracer().map(|tracer| trace::Sends::new(tracer, &options.kafka.topic)));

    let admin_listener = options.admin.bind().await?;
    let listener = listen::bind(options.listen, "--listen (AUDIT_LISTEN)").await?;
    let end = CancellationToken::new();
    let admin = tokio::spawn(admin::serve(admin_listener, health.clone(), registry, end.clone()));
    let draining = CancellationToken::new();
    let closing = map_response_with_state(stop.clone(), server::close_when_stopping);
    let server = server::serve(
        listener,
        trace::requests(routes::router(gateway), traces.tracer()).layer(closing),
        &options.limits,
        options.deadline,
        draining.clone(),
    );

    tracing::info!(listen = %options.listen, admin = %options.admin.admin_listen, topic = options.kafka.topic, "taking events");
    health.set_ready(true);
    let told_to_stop = async {
        stop.cancelled().await;
        health.set_ready(false);
        tokio::time::sleep(options.drain_delay).await;
        draining.cancel();
    };
    tokio::join!(server, told_to_stop);

    if let Err(unacknowledged) = publisher.close(options.deadline).await {
        // Their senders went away, or were told 503.
        tracing::warn!(%unacknowledged, "gave up");
    }
    traces.finish().await;
    tracing::info!("stopped");
    end.cancel();
    admin.await.context("the admin server panicked")?.context("the admin server failed")?;
    Ok(ExitCode::Fine)
}

fn deadline(text: &str) -> Result<Duration, String> {
    let deadline = duration::parse(text).map_err(|error| error.to_string())?;
    let range = Duration::from_millis(100)..=Duration::from_secs(3_600);
    if range.contains(&deadline) {
        Ok(deadline)
    } else {
        Err("must be from 100ms to 1h".to_owned())
    }
}

fn ratio(text: &str) -> Result<f64, &'static str> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or("must be a number from 0 to 1")
}
