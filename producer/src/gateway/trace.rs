//! Spans of the gateway: one for each request, and in it one for each event sent to Kafka.
//!
//! A span is handed on as the `traceparent` header: the request's replaces the client's before a handler reads it, and
//! the event's replaces that in the record. So handlers do the same with traces as without. Names and attributes are
//! those of OpenTelemetry's semantic conventions for HTTP servers and for messaging.

use std::sync::Arc;

use audit_producer::{Acknowledged, PublishError, Record};
use audit_runtime::telemetry::{Span, Tracer, parse_traceparent, traceparent};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use opentelemetry::trace::{Span as _, SpanKind, Status, TraceContextExt, Tracer as _};
use opentelemetry::{Context, KeyValue};

const HEADER: &str = "traceparent";
/// A path longer than this is cut: anyone can make up paths, and spans wait in memory.
const MAX_PATH: usize = 256;

/// Makes a span for each request, if there is a tracer.
pub(super) fn requests(router: Router, tracer: Option<Tracer>) -> Router {
    match tracer {
        Some(tracer) => router.layer(from_fn_with_state(tracer, request_span)),
        None => router,
    }
}

/// When the client goes away the span ends without a status code.
async fn request_span(State(tracer): State<Tracer>, mut request: Request, next: Next) -> Response {
    let mut span = server_span(&tracer, &request);
    let header = HeaderValue::try_from(traceparent(span.span_context()));
    request.headers_mut().insert(HEADER, header.expect("it is of hex digits and hyphens"));
    let response = next.run(request).await;
    let status = response.status();
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    if status.is_server_error() {
        span.set_attribute(KeyValue::new("error.type", status.as_u16().to_string()));
        span.set_status(Status::error(""));
    }
    response
}

fn server_span(tracer: &Tracer, request: &Request) -> Span {
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH") => known,
        _ => "_OTHER",
    };
    let path: String = request.uri().path().chars().take(MAX_PATH).collect();
    let mut attributes = vec![
        KeyValue::new("http.request.method", method.to_owned()),
        KeyValue::new("url.path", path),
    ];
    let mut name = method.to_owned();
    if let Some(route) = request.extensions().get::<MatchedPath>() {
        name = format!("{name} {}", route.as_str());
        attributes.push(KeyValue::new("http.route", route.as_str().to_owned()));
    }
    let builder = tracer.span_builder(name).with_kind(SpanKind::Server).with_attributes(attributes);
    let client = request.headers().get(HEADER).and_then(|value| value.to_str().ok());
    tracer.build_with_context(builder, &remote(client))
}

/// Makes the spans of events that are sent.
#[derive(Clone)]
pub(super) struct Sends {
    tracer: Tracer,
    topic: Arc<str>,
}

impl Sends {
    pub(super) fn new(tracer: Tracer, topic: &str) -> Self {
        Self { tracer, topic: topic.into() }
    }

    /// Begins the span of an event and puts it into the record.
    pub(super) fn begin(&self, record: Record) -> (Span, Record) {
        let request = record.headers().find(|(name, _)| *name == HEADER).map(|(_, value)| value);
        let builder = self
            .tracer
            .span_builder(format!("send {}", self.topic))
            .with_kind(SpanKind::Producer)
            .with_attributes([
                KeyValue::new("messaging.system", "kafka"),
                KeyValue::new("messaging.operation.type", "send"),
                KeyValue::new("messaging.operation.name", "send"),
                KeyValue::new("messaging.destination.name", Arc::clone(&self.topic)),
                KeyValue::new("messaging.kafka.message.key", record.id().to_string()),
            ]);
        let span = self.tracer.build_with_context(builder, &remote(request));
        let header = traceparent(span.span_context()).parse().expect("it is well-formed");
        let record = record.with_traceparent(&header);
        (span, record)
    }
}

/// Ends the span of an event that was sent.
pub(super) fn sent(span: Option<Span>, result: Result<&Acknowledged, &PublishError>) {
    let Some(mut span) = span else { return };
    match result {
        Ok(at) => {
            let partition = at.partition.to_string();
            span.set_attribute(KeyValue::new("messaging.destination.partition.id", partition));
            span.set_attribute(KeyValue::new("messaging.kafka.offset", at.offset));
        }
        Err(error) => {
            span.set_attribute(KeyValue::new("error.type", error.outcome()));
            span.set_status(Status::error(error.to_string()));
        }
    }
    span.end();
}

/// The context of a span that another process, or another part of this one, has named.
fn remote(header: Option<&str>) -> Context {
    match header.and_then(parse_traceparent) {
        Some(span) => Context::new().with_remote_span_context(span),
        None => Context::new(),
    }
}
