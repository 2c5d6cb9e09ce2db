//! A collector of traces: takes OTLP over HTTP and keeps every span.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
pub use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, status::StatusCode as SpanStatus},
};
use prost::Message;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::eventually;

/// How long a span may take from its end to the collector, on a busy machine.
const ARRIVAL: Duration = Duration::from_secs(180);

/// A running collector. It ends when dropped.
#[derive(Debug)]
pub struct Collector {
    /// Where it listens.
    pub address: SocketAddr,
    received: Arc<Received>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Received(Mutex<Vec<ReceivedSpan>>);

/// A span, and the service that sent it.
#[derive(Clone, Debug)]
pub struct ReceivedSpan {
    /// `service.name`.
    pub service: String,
    /// The span as it came.
    pub span: Span,
}

impl Collector {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let received = Arc::new(Received::default());
        let router =
            Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&received));
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Ok(Self { address, received, server })
    }

    /// What `--otlp-endpoint` is to be.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything so far.
    #[must_use]
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.received.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for so many spans of a kind whose names begin like this, and gives all of them.
    ///
    /// # Errors
    /// Fewer have come after three minutes.
    pub async fn wait_for(
        &self,
        kind: SpanKind,
        name: &str,
        count: usize,
    ) -> Result<Vec<ReceivedSpan>> {
        eventually(ARRIVAL, &format!("{count} spans `{name}..`"), async || {
            let mut spans = self.spans();
            spans.retain(|span| span.span.kind() == kind && span.span.name.starts_with(name));
            ensure!(spans.len() >= count, "{} of {:?}", spans.len(), self.names());
            Ok(spans)
        })
        .await
    }

    fn names(&self) -> Vec<String> {
        self.spans().into_iter().map(|span| span.span.name).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl ReceivedSpan {
    /// The trace's id in hex.
    #[must_use]
    pub fn trace(&self) -> String {
        hex(&self.span.trace_id)
    }

    /// The span's id in hex.
    #[must_use]
    pub fn id(&self) -> String {
        hex(&self.span.span_id)
    }

    /// The id of its parent in hex; empty if it begins the trace.
    #[must_use]
    pub fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }

    /// The ids of traces and spans that it is linked to, in hex.
    #[must_use]
    pub fn links(&self) -> Vec<(String, String)> {
        self.span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect()
    }

    /// An attribute as text.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<String> {
        attribute(&self.span.attributes, key)
    }

    /// Whether its status is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.span.status.as_ref().is_some_and(|status| status.code() == SpanStatus::Error)
    }
}

async fn take(State(received): State<Arc<Received>>, body: Bytes) -> Result<Bytes, StatusCode> {
    let spans = decode(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    received.0.lock().unwrap_or_else(PoisonError::into_inner).extend(spans);
    // An empty message says that everything was taken.
    Ok(Bytes::new())
}

fn decode(body: &[u8]) -> Result<Vec<ReceivedSpan>> {
    let request = ExportTraceServiceRequest::decode(body)?;
    let mut spans = Vec::new();
    for resource in request.resource_spans {
        let attributes = resource.resource.context("no resource")?.attributes;
        let service = attribute(&attributes, "service.name").context("no service.name")?;
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(ReceivedSpan { service: service.clone(), span });
        }
    }
    Ok(spans)
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
