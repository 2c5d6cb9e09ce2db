//! Traces: spans sent to a collector in OpenTelemetry's protocol, OTLP over HTTP, if there is an endpoint for them.
//!
//! Without one there is no tracer, and whoever would make spans makes none. With one, spans go through a bounded
//! queue to a task that sends them: a collector that is slow or away costs spans, never time.

mod endpoint;
mod export;
mod parent;

use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use prometheus::Registry;

pub use self::endpoint::Endpoint;
use self::export::Export;
pub use self::parent::{parse_traceparent, traceparent};
use crate::build_info::VERSION;
use crate::exit::UsageError;

/// Makes spans.
pub type Tracer = SdkTracer;
/// A span that is not over yet; dropping it ends it.
pub type Span = opentelemetry_sdk::trace::Span;

/// How long spans that are still queued may take to be sent when the process ends.
const FLUSH: Duration = Duration::from_secs(2);

/// Where traces go.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Traces")]
pub struct TraceOptions {
    /// Collector that traces are sent to, as OTLP over HTTP: its base URL, such as http://localhost:4318.
    /// Without it there are no traces
    #[arg(long, env = "AUDIT_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<Endpoint>,
}

/// The traces of this process; see [`Traces::finish`].
#[derive(Debug)]
pub struct Traces(Option<Running>);

#[derive(Debug)]
struct Running {
    provider: SdkTracerProvider,
    export: Export,
}

impl Traces {
    /// Begins to send traces if the options say where to; must be called within the runtime.
    ///
    /// A trace that begins here is kept with the probability `ratio`; one that began elsewhere is kept if its sampled
    /// flag says so. The service is called `program` unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` says
    /// otherwise, as those of the exporter (`OTEL_EXPORTER_OTLP_HEADERS`, ..) are heeded.
    ///
    /// # Errors
    /// [`UsageError`] for a variable of OpenTelemetry's that cannot be followed.
    pub fn start(
        options: &TraceOptions,
        program: &'static str,
        ratio: f64,
        registry: &Registry,
    ) -> anyhow::Result<Self> {
        let Some(endpoint) = &options.otlp_endpoint else { return Ok(Self(None)) };
        let resource = resource(program);
        let mut exporter = endpoint.exporter().map_err(|error| {
            UsageError(format!("cannot send traces to {endpoint} (--otlp-endpoint): {error}"))
        })?;
        opentelemetry_sdk::trace::SpanExporter::set_resource(&mut exporter, &resource);
        let (processor, export) = export::start(exporter, endpoint.to_string(), registry)
            .context("cannot register the metrics of traces")?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
            .with_span_processor(processor)
            .build();
        tracing::info!(%endpoint, "sending traces");
        Ok(Self(Some(Running { provider, export })))
    }

    /// What makes spans; none when nobody asked for traces.
    #[must_use]
    pub fn tracer(&self) -> Option<Tracer> {
        self.0.as_ref().map(|running| running.provider.tracer("kubernaut-audit"))
    }

    /// Sends what is queued; takes 2 seconds at the most.
    pub async fn finish(self) {
        if let Some(running) = self.0 {
            running.export.finish(FLUSH).await;
        }
    }
}

fn resource(program: &'static str) -> Resource {
    let resource = Resource::builder_empty()
        .with_service_name(program)
        .with_attribute(KeyValue::new("service.version", VERSION))
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(EnvResourceDetector::new()));
    match std::env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource.with_service_name(name),
        _ => resource,
    }
    .build()
}
