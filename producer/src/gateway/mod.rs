//! `audit-producer gateway`: events over HTTP, for controllers that are not written in Rust.
//!
//! `POST /api/v1/audit/workflow-execution` with the event as JSON (`application/json`, at most 1 MiB) answers
//!
//! | status | meaning | send again? |
//! |---|---|---|
//! | 201 | every in-sync replica has the event: `{"id","topic","partition","offset"}` | no |
//! | 400 | the event, or a header, is wrong; `errors` names each field | no |
//! | 401 | with `--auth token-file`: no bearer token, or one that is not known | with another token |
//! | 403 | with `--auth token-file`: the caller is disabled | no |
//! | 408 | the body did not arrive in time | yes |
//! | 413, 415 | larger than 1 MiB; not `application/json` | no |
//! | 429 | too many requests are under way here | yes, after `Retry-After` |
//! | 503 | Kafka did not take it in time, or the queue is full | yes, after `Retry-After` |
//! | 500 | the broker says that it will never take this event | no: tell an operator |
//!
//! `POST /api/v1/audit/workflow-executions` takes up to 65,536 events, 16 MiB in all: one per line
//! (`application/x-ndjson`, `application/jsonl`, `application/x-jsonlines`), or an array (`application/json`). It answers
//!
//! | status | meaning | send again? |
//! |---|---|---|
//! | 201 | every in-sync replica has all of them: `{"results":[..]}` | no |
//! | 207 | some are not acknowledged: `results` has, in order, the status each would have had alone | those with 503, after `Retry-After` |
//! | 400 | the array is broken, and nothing of it was published; or there is no event; or a header is wrong | no |
//! | 408, 413, 415, 429 | as above, for the batch as a whole | |
//!
//! A broken line is a problem of that line alone; blank lines are skipped. Its events do not wait for one another; each
//! waits up to the deadline for a place in the queue, and then as long for its acknowledgement. With an
//! `Idempotency-Key`, an event without an id is known by the key and its place in the batch: a repeat must be the whole
//! batch in the same order.
//!
//! `GET /openapi.json` describes both for programs.
//!
//! Errors are problem details (RFC 9457, `application/problem+json`). An event may be sent any number of times: its id,
//! its `Idempotency-Key` or its content tells that it is the same one. Only 201 means that it is kept; after a 503 or a
//! lost connection it may or may not be, which is what sending it again is for.

mod auth;
mod batch;
mod callers;
mod connections;
mod event;
mod idempotency;
mod limits;
mod metrics;
mod openapi;
mod problem;
mod publish;
mod reload;
mod request;
mod routes;
mod server;
mod slots;
mod tls;
mod trace;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use audit_runtime::admin::{AdminOptions, Health};
use audit_runtime::exit::ExitCode;
use audit_runtime::telemetry::{TraceOptions, Traces};
use audit_runtime::{admin, duration, listen, metrics as process_metrics, signals};
use axum::middleware::map_response_with_state;
use tokio_util::sync::CancellationToken;

use auth::{Auth, AuthOptions};
use connections::Places;
use limits::Limits;
use reload::Reloader;
use routes::Gateway;
use server::Server;
use tls::{Tls, TlsOptions};

use crate::brokers;
use crate::publishing::PublishingOptions;

/// Options of `audit-producer gateway`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Address events are taken at
    #[arg(long, env = "AUDIT_LISTEN", default_value = "0.0.0.0:8085", value_name = "IP:PORT")]
    listen: SocketAddr,

    /// CloudEvents source of the events: a URI reference. With --auth token-file, /callers/NAME is added to it.
    /// Idempotency keys are scoped by it
    #[arg(long, env = "AUDIT_SOURCE", default_value = "/gateway", value_name = "URI")]
    source: String,

    /// How long to go on taking events once told to stop, so that load balancers learn of it first
    #[arg(long, env = "AUDIT_DRAIN_DELAY", default_value = "1s", value_parser = duration::parse, value_name = "DURATION")]
    drain_delay: Duration,

    #[command(flatten)]
    publishing: PublishingOptions,

    #[command(flatten)]
    tls: TlsOptions,

    #[command(flatten)]
    auth: AuthOptions,

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

impl Options {
    /// What keeps the gateway from starting whatever Kafka says.
    pub(crate) fn check(&self) -> Vec<anyhow::Error> {
        let publisher = self.publishing.check(&self.source).map_err(anyhow::Error::from);
        let tls = self.tls.files().and_then(|files| files.map_or(Ok(()), |files| files.check()));
        let auth = self.auth.files().and_then(|files| files.map_or(Ok(()), |files| files.check()));
        let files = [tls, auth].map(|result| result.map_err(anyhow::Error::from));
        [publisher].into_iter().chain(files).filter_map(Result::err).collect()
    }
}

/// Serves until SIGTERM or SIGINT, then finishes what it has accepted.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let stop = signals::shutdown_token().context("cannot listen for signals")?;
    let registry = process_metrics::registry("audit-producer");
    let traces =
        Traces::start(&options.traces, "audit-producer", options.trace_sample_ratio, &registry)?;
    let health = Health::new();
    let reloader = Reloader::new(health.clone(), &registry)?;
    let tls = options.tls.files()?.map(|files| reloader.start(files)).transpose()?;
    let tls = tls.map(|certificate| Tls::new(certificate, &registry)).transpose()?;
    let callers = options.auth.files()?.map(|files| reloader.start(files)).transpose()?;
    let publisher = options.publishing.publisher(&options.source, Some(registry.clone()))?;
    let auth = Auth::new(&options.source, callers);
    let gateway = Gateway::new(
        publisher.clone(),
        auth,
        &options.limits,
        options.publishing.deadline,
        health.clone(),
        &registry,
    )?
    .traced(
        traces.tracer().map(|tracer| trace::Sends::new(tracer, &options.publishing.kafka.topic)),
    );
    let places = Places::new(options.limits.max_connections, health.clone(), &registry)?;

    let admin_listener = options.admin.bind().await?;
    let listener = listen::bind(options.listen, "--listen (AUDIT_LISTEN)").await?;
    let end = CancellationToken::new();
    let admin = tokio::spawn(admin::serve(admin_listener, health.clone(), registry, end.clone()));
    tokio::spawn(brokers::watch(
        publisher.trouble(),
        options.publishing.kafka.properties(),
        health.clone(),
        end.clone(),
    ));
    let draining = CancellationToken::new();
    let closing = map_response_with_state(stop.clone(), server::close_when_stopping);
    let scheme = if tls.is_some() { "https" } else { "http" };
    let server = Server {
        router: trace::requests(routes::router(gateway), traces.tracer()).layer(closing),
        places,
        tls,
        limits: options.limits,
        deadline: options.publishing.deadline,
    };
    let server = server.serve(listener, draining.clone());

    tracing::info!(listen = %options.listen, scheme, admin = %options.admin.admin_listen, topic = options.publishing.kafka.topic, "taking events");
    health.set_ready(true);
    let told_to_stop = async {
        stop.cancelled().await;
        health.set_ready(false);
        tokio::time::sleep(options.drain_delay).await;
        draining.cancel();
    };
    tokio::join!(server, told_to_stop);

    if let Err(unacknowledged) = publisher.close(options.publishing.deadline).await {
        // Their senders went away, or were told 503.
        tracing::warn!(%unacknowledged, "gave up");
    }
    traces.finish().await;
    tracing::info!("stopped");
    end.cancel();
    admin.await.context("the admin server panicked")?.context("the admin server failed")?;
    Ok(ExitCode::Fine)
}

fn ratio(text: &str) -> Result<f64, &'static str> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or("must be a number from 0 to 1")
}
