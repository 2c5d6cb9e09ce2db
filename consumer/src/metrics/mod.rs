//! What the consumer tells Prometheus. Counted after the commit, never before.

mod cap;
mod events;
mod series;

use std::time::Duration;

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

pub use events::{EventMetrics, EventSeries};
pub use series::Observation;

/// Stands for an error without SQLSTATE, such as a lost connection.
const NO_SQLSTATE: &str = "none";

/// Handles of all metrics of `run`. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    /// Records accounted for, by what became of them.
    pub records: IntCounterVec,
    /// Batches, by outcome: `committed`, `retried`, `fenced`.
    pub batches: IntCounterVec,
    /// Records per committed batch.
    pub batch_records: Histogram,
    /// Seconds per stage of a batch: `gather`, `write`, `commit`.
    pub stage_duration: HistogramVec,
    /// Seconds from a record's timestamp to its commit.
    pub end_to_end_latency: Histogram,
    /// End offset less the database's offset.
    pub partition_lag: IntGaugeVec,
    /// 1 while a partition is halted.
    pub partition_halted: IntGaugeVec,
    /// Up to when everything is in the database; 0 while unknown.
    pub complete_up_to: Gauge,
    /// Attempts that had to be repeated, by SQLSTATE.
    pub retries: IntCounterVec,
    /// Batches (or parts of them) refused because somebody else had taken the partition over.
    pub fenced_batches: IntCounter,
    /// Rebalance events, by kind.
    pub rebalances: IntCounterVec,
    /// Partitions the group gives this consumer.
    pub assigned_partitions: IntGauge,
    /// Open dead letters in the database.
    pub dead_letters_open: IntGauge,
    /// Bytes received and not yet committed.
    pub in_flight_bytes: IntGauge,
    /// The seed's metrics of the events themselves.
    pub events: EventMetrics,
}

impl Metrics {
    /// Creates all metrics in the registry.
    ///
    /// # Errors
    /// A name that is taken already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let histogram = |name: &str, help: &str, buckets: Vec<f64>| {
            let histogram =
                Histogram::with_opts(HistogramOpts::new(prefixed(name), help).buckets(buckets))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok::<_, prometheus::Error>(histogram)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(prefixed(name), help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(prefixed(name), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(prefixed(name), help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        let complete_up_to = Gauge::new(
            prefixed("complete_up_to_timestamp_seconds"),
            "Unix time up to which every record of the topic is in the database; 0 while unknown",
        )?;
        registry.register(Box::new(complete_up_to.clone()))?;
        let fenced_batches = IntCounter::new(
            prefixed("fenced_batches_total"),
            "Batches or parts of them refused because another consumer had taken the partition over",
        )?;
        registry.register(Box::new(fenced_batches.clone()))?;
        let stage_duration = HistogramVec::new(
            HistogramOpts::new(prefixed("stage_duration_seconds"), "Time per stage of a batch")
                .buckets(exponential(0.001, 2.0, 15)?),
            &["stage"],
        )?;
        registry.register(Box::new(stage_duration.clone()))?;
        let records = counters(
            "records_total",
            "Records accounted for, by what became of them",
            &["disposition"],
        )?;
        let batches = counters("batches_total", "Batches, by outcome", &["outcome"])?;
        let retries = counters(
            "retries_total",
            "Database work that had to be repeated, by SQLSTATE",
            &["sqlstate"],
        )?;
        let rebalances = counters("rebalances_total", "Rebalance events, by kind", &["kind"])?;
        // Known values are there from the start, so that a rate sees the first of each.
        let dispositions =
            ["stored", "duplicate", "superseding", "late", "dead_lettered", "gap", "lost"];
        for (counters, values) in [
            (&records, &dispositions[..]),
            (&batches, &["committed", "retried", "fenced"]),
            (&retries, &[NO_SQLSTATE]),
            (&rebalances, &["assigned", "revoked"]),
        ] {
            values.iter().for_each(|value| drop(counters.with_label_values(&[*value])));
        }
        for stage in ["gather", "write", "commit"] {
            stage_duration.with_label_values(&[stage]);
        }
        Ok(Self {
            records,
            batches,
            batch_records: histogram(
                "batch_records",
                "Records per committed batch",
                exponential(1.0, 2.0, 14)?,
            )?,
            stage_duration,
            end_to_end_latency: histogram(
                "end_to_end_latency_seconds",
                "Time from a record's timestamp to its commit",
                exponential(0.01, 2.0, 18)?,
            )?,
            partition_lag: gauges(
                "partition_lag_records",
                "End offset of the partition less the database's offset",
                &["partition"],
            )?,
            partition_halted: gauges(
                "partition_halted",
                "1 while a partition is halted until an operator decides",
                &["partition", "reason"],
            )?,
            complete_up_to,
            retries,
            fenced_batches,
            rebalances,
            assigned_partitions: gauge(
                "assigned_partitions",
                "Partitions the group gives this consumer",
            )?,
            dead_letters_open: gauge("dead_letters_open", "Open dead letters in the database")?,
            in_flight_bytes: gauge("in_flight_bytes", "Bytes received and not yet committed")?,
            events: EventMetrics::register(registry)?,
        })
    }

    /// Notes the time a stage took.
    pub fn stage(&self, stage: &str, took: Duration) {
        self.stage_duration.with_label_values(&[stage]).observe(took.as_secs_f64());
    }

    /// Notes that database work has to be repeated. A lost connection has no SQLSTATE.
    pub fn retry(&self, sqlstate: Option<&str>) {
        self.retries.with_label_values(&[sqlstate.unwrap_or(NO_SQLSTATE)]).inc();
    }
}

fn prefixed(name: &str) -> String {
    format!("kubernaut_audit_{name}")
}

fn exponential(start: f64, factor: f64, count: usize) -> Result<Vec<f64>, prometheus::Error> {
    prometheus::exponential_buckets(start, factor, count)
}

/// A gauge vector of the seed's, which has no prefix of ours.
fn gauge_vec(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<GaugeVec, prometheus::Error> {
    let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(gauges.clone()))?;
    Ok(gauges)
}
