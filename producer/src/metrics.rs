//! What a publisher measures.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::error::PublishError;

/// Acknowledgements take milliseconds; a broker that fails over, seconds.
const ACK_BUCKETS: [f64; 12] =
    [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Debug, Clone)]
pub(crate) struct PublisherMetrics {
    /// Events by what became of them: `acknowledged`, or the outcome of a `PublishError`.
    published: IntCounterVec,
    /// That of `acknowledged`, looked up once rather than for each event.
    pub(crate) acknowledged: IntCounter,
    /// From the place in the queue to the acknowledgement.
    pub(crate) ack_seconds: Histogram,
    /// Records that are neither acknowledged nor given up yet.
    pub(crate) queued: IntGauge,
}

impl PublisherMetrics {
    pub(crate) fn new(registry: Option<&Registry>) -> Result<Self, prometheus::Error> {
        let name = |name| format!("kubernaut_audit_{name}");
        let published = IntCounterVec::new(
            Opts::new(
                name("publish_total"),
                "Events given to the publisher, by what became of them",
            ),
            &["outcome"],
        )?;
        let ack_seconds = Histogram::with_opts(
            HistogramOpts::new(
                name("publish_ack_seconds"),
                "Time from the queue to the acknowledgement of Kafka",
            )
            .buckets(ACK_BUCKETS.to_vec()),
        )?;
        let queued = IntGauge::new(
            name("publish_queue_records"),
            "Records waiting for their acknowledgement",
        )?;
        // Known outcomes are there from the start, so that an alert on their rate sees the first one.
        for outcome in [
            "acknowledged",
            "invalid",
            "queue_full",
            "deadline",
            "refused",
            "client_failed",
            "closed",
        ] {
            published.with_label_values(&[outcome]);
        }
        if let Some(registry) = registry {
            registry.register(Box::new(published.clone()))?;
            registry.register(Box::new(ack_seconds.clone()))?;
            registry.register(Box::new(queued.clone()))?;
        }
        let acknowledged = published.with_label_values(&["acknowledged"]);
        Ok(Self { published, acknowledged, ack_seconds, queued })
    }

    pub(crate) fn count(&self, error: &PublishError) {
        self.published.with_label_values(&[error.outcome()]).inc();
    }
}
