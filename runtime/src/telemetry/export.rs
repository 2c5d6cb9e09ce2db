//! The way of ended spans to the collector: a bounded queue, and a task that sends what is in it.
//!
//! The SDK's own batch processor keeps to itself how many spans it has dropped, and its thread cannot drive a client
//! that needs the runtime.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter as _, SpanProcessor};
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Spans that may wait. One more is dropped.
const QUEUE: usize = 2_048;
/// Spans sent at a time.
const BATCH: usize = 512;
/// How long spans may wait for others.
const LINGER: Duration = Duration::from_secs(1);

/// Takes spans that have ended. Never waits.
#[derive(Debug)]
pub(super) struct Processor {
    queue: mpsc::Sender<SpanData>,
    dropped: IntCounter,
}

impl SpanProcessor for Processor {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.queue.try_send(span).is_err() {
            self.dropped.inc();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The task that sends.
#[derive(Debug)]
pub(super) struct Export {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

/// Starts the task. `endpoint` is for the log.
pub(super) fn start(
    exporter: SpanExporter,
    endpoint: String,
    registry: &Registry,
) -> Result<(Processor, Export), prometheus::Error> {
    let spans = IntCounterVec::new(
        Opts::new(
            "kubernaut_audit_trace_spans_total",
            "Spans by what became of them: sent, failed (the collector did not take them), dropped (the queue was full)",
        ),
        &["outcome"],
    )?;
    registry.register(Box::new(spans.clone()))?;
    let outcome = |outcome| spans.with_label_values(&[outcome]);
    let (queue, inbox) = mpsc::channel(QUEUE);
    let stop = CancellationToken::new();
    let sender = Sender {
        inbox,
        exporter,
        endpoint,
        stop: stop.clone(),
        sent: outcome("sent"),
        failed: outcome("failed"),
        failing: false,
    };
    let processor = Processor { queue, dropped: outcome("dropped") };
    Ok((processor, Export { task: tokio::spawn(sender.run()), stop }))
}

impl Export {
    /// Sends what is queued, as far as that goes within the time.
    pub(super) async fn finish(self, within: Duration) {
        self.stop.cancel();
        let abort = self.task.abort_handle();
        if timeout(within, self.task).await.is_err() {
            abort.abort();
            warn!("the last traces were not sent: the collector takes too long");
        }
    }
}

struct Sender {
    inbox: mpsc::Receiver<SpanData>,
    exporter: SpanExporter,
    endpoint: String,
    stop: CancellationToken,
    sent: IntCounter,
    failed: IntCounter,
    /// Whether the last spans were not taken, which is logged once an outage.
    failing: bool,
}

impl Sender {
    async fn run(mut self) {
        loop {
            let spans = self.gather().await;
            if spans.is_empty() {
                return;
            }
            self.send(spans).await;
        }
    }

    /// The next spans; none at the end.
    async fn gather(&mut self) -> Vec<SpanData> {
        let mut spans = Vec::with_capacity(BATCH);
        let stopped = self.stop.cancelled();
        tokio::select! {
            _ = self.inbox.recv_many(&mut spans, BATCH) => {}
            () = stopped => self.inbox.close(),
        }
        let more = async {
            while spans.len() < BATCH {
                let room = BATCH - spans.len();
                if self.inbox.recv_many(&mut spans, room).await == 0 {
                    return;
                }
            }
        };
        // Once told to stop there is nothing to wait for.
        tokio::select! {
            biased;
            () = more => {}
            () = sleep(LINGER) => {}
            () = self.stop.cancelled() => {}
        }
        spans
    }

    async fn send(&mut self, spans: Vec<SpanData>) {
        let count = u64::try_from(spans.len()).unwrap_or(u64::MAX);
        match self.exporter.export(spans).await {
            Ok(()) => {
                self.sent.inc_by(count);
                if std::mem::take(&mut self.failing) {
                    info!(endpoint = self.endpoint, "the collector takes traces again");
                }
            }
            Err(error) => {
                self.failed.inc_by(count);
                if !std::mem::replace(&mut self.failing, true) {
                    warn!(
                        endpoint = self.endpoint,
                        "the collector does not take traces, which are lost: {error}"
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let (queue, mut inbox) = mpsc::channel(2);
        let dropped = IntCounter::new("dropped_total", "Dropped").unwrap();
        let processor = Processor { queue, dropped: dropped.clone() };
        let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
        let tracer = provider.tracer("test");
        for name in ["a", "b", "c"] {
            drop(tracer.start(name));
        }
        assert_eq!(dropped.get(), 1);
        assert_eq!(inbox.blocking_recv().map(|span| span.name), Some("a".into()));
        drop(inbox);
        drop(tracer.start("d"));
        assert_eq!(dropped.get(), 2, "nobody takes spans any more");
    }
}
