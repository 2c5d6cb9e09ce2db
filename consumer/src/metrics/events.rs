//! The metrics of the workflows themselves, under the names their dashboards know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use audit_schema::decode::Event;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts,
    Registry,
};

use super::cap::{Cap, OTHER, SeriesCap};

/// 30 seconds to 30 minutes.
const DURATION_BUCKETS: [f64; 7] = [30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0];

/// The metric families. Cheap to clone; the bounds on label values are shared by all lanes.
#[derive(Clone)]
pub struct EventMetrics {
    duration: HistogramVec,
    steps: IntCounterVec,
    score: GaugeVec,
    /// Contents stored (`success`) and records dead-lettered (`error`), each once.
    pub operations: IntCounterVec,
    caps: Arc<Mutex<Caps>>,
}

#[derive(Default)]
struct Caps {
    workflow: Cap,
    action: Cap,
    status: Cap,
    durations: SeriesCap<2>,
    steps: SeriesCap<3>,
}

impl EventMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "kubernaut_workflow_execution_duration_seconds",
                "Duration of workflow executions",
            )
            .buckets(DURATION_BUCKETS.to_vec()),
            &["workflow_name", "outcome"],
        )?;
        registry.register(Box::new(duration.clone()))?;
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let operations = counters(
            "kubernaut_workflow_audit_storage_operations_total",
            "Total workflow audit storage operations",
            &["status"],
        )?;
        for status in ["success", "error"] {
            operations.with_label_values(&[status]);
        }
        Ok(Self {
            duration,
            steps: counters(
                "kubernaut_workflow_step_executions_total",
                "Total step executions by action and status",
                &["workflow_name", "action", "status"],
            )?,
            score: super::gauge_vec(
                registry,
                "kubernaut_workflow_effectiveness_score",
                "Workflow effectiveness score (0.0-1.0)",
                &["workflow_name"],
            )?,
            operations,
            caps: Arc::default(),
        })
    }
}

/// What one event will add, once it is known to be new and committed.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    duration: Option<(Histogram, f64)>,
    score: Option<(Gauge, f64)>,
    steps: Vec<IntCounter>,
}

impl Observation {
    /// Counts the event.
    pub fn record(&self) {
        if let Some((histogram, seconds)) = &self.duration {
            histogram.observe(*seconds);
        }
        if let Some((gauge, score)) = &self.score {
            gauge.set(*score);
        }
        self.steps.iter().for_each(IntCounter::inc);
    }
}

/// One lane's way from label values to series without hashing them all for every event.
///
/// Holds what the caps have admitted and no more, so it is bounded as they are.
pub struct EventSeries {
    metrics: EventMetrics,
    /// By label.
    workflows: HashMap<Box<str>, Workflow>,
}

struct Workflow {
    label: Box<str>,
    durations: HashMap<Box<str>, Histogram>,
    score: Gauge,
    /// By action, then status.
    steps: HashMap<Box<str>, HashMap<Box<str>, IntCounter>>,
}

impl EventSeries {
    /// The series as one lane sees them.
    pub fn new(metrics: EventMetrics) -> Self {
        Self { metrics, workflows: HashMap::new() }
    }

    /// What the event would add. Absent and negative durations are not observed.
    pub fn observe(&mut self, event: &Event<'_>) -> Observation {
        let columns = &event.columns;
        let metrics = &self.metrics;
        let mut label = columns.workflow_name;
        if !self.workflows.contains_key(label) {
            label = metrics.caps().workflow.admit(label);
        }
        if !self.workflows.contains_key(label) {
            self.workflows.insert(label.into(), Workflow::new(metrics, label));
        }
        let workflow =
            self.workflows.get_mut(label).expect("was put in just now if it was not there");
        let seconds = columns.total_duration.filter(|micros| *micros >= 0).map(micros_to_seconds);
        Observation {
            duration: seconds.map(|seconds| (workflow.duration(metrics, columns.outcome), seconds)),
            score: columns.effectiveness_score.map(|score| (workflow.score.clone(), score)),
            steps: event
                .steps()
                .map(|(action, status)| workflow.step(metrics, action, status))
                .collect(),
        }
    }
}

impl Workflow {
    fn new(metrics: &EventMetrics, label: &str) -> Self {
        let score = metrics.score.with_label_values(&[label]);
        Self { label: label.into(), durations: HashMap::new(), score, steps: HashMap::new() }
    }

    fn duration(&mut self, metrics: &EventMetrics, outcome: &str) -> Histogram {
        if let Some(known) = self.durations.get(outcome) {
            return known.clone();
        }
        let room = metrics.caps().durations.admits([&self.label, outcome]);
        let label = if room { &*self.label } else { OTHER };
        let histogram = metrics.duration.with_label_values(&[label, outcome]);
        // There are three outcomes.
        self.durations.insert(outcome.into(), histogram.clone());
        histogram
    }

    fn step(&mut self, metrics: &EventMetrics, action: &str, status: &str) -> IntCounter {
        if let Some(known) = self.steps.get(action).and_then(|statuses| statuses.get(status)) {
            return known.clone();
        }
        let mut caps = metrics.caps();
        let mut labels = [&*self.label, caps.action.admit(action), caps.status.admit(status)];
        let room = caps.steps.admits(labels);
        if !room {
            labels = [OTHER; 3];
        }
        let counter = metrics.steps.with_label_values(&labels);
        if room && labels[1..] == [action, status] {
            self.steps.entry(action.into()).or_default().insert(status.into(), counter.clone());
        }
        counter
    }
}

impl EventMetrics {
    fn caps(&self) -> std::sync::MutexGuard<'_, Caps> {
        self.caps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a duration in seconds needs no more than 53 bits")]
fn micros_to_seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests;
