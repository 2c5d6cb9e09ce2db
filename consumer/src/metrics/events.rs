//! The metrics of the workflows themselves, under the names their dashboards know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audit_schema::decode::Event;
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use super::cap::{Cap, OTHER, SeriesCap};
use super::series::{Observation, Place, Series};

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
    series: Arc<Mutex<Series>>,
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
            series: Arc::default(),
        })
    }
}

/// One lane's way from label values to series without hashing them all for every event.
///
/// Holds what the caps have admitted and no more, so it is bounded as they are.
pub struct EventSeries {
    metrics: EventMetrics,
    /// By label.
    workflows: Table<Workflow>,
}

/// Keys come from events. Nobody can make a table long by choosing them, since the caps bound it, and its seed is random.
type Table<T> = HashMap<Box<str>, T, foldhash::fast::RandomState>;

struct Workflow {
    label: Box<str>,
    /// By outcome.
    durations: Table<Place>,
    score: Place,
    /// By action, then status, as the caps admitted them.
    steps: Table<Table<Place>>,
    /// Where its steps count that the caps do not admit.
    other_steps: Option<Place>,
}

impl EventSeries {
    /// The series as one lane sees them.
    pub fn new(metrics: EventMetrics) -> Self {
        Self { metrics, workflows: Table::default() }
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
            score: columns.effectiveness_score.map(|score| (workflow.score, score)),
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
        Self {
            label: label.into(),
            durations: Table::default(),
            score: metrics.series().add_score(score),
            steps: Table::default(),
            other_steps: None,
        }
    }

    fn duration(&mut self, metrics: &EventMetrics, outcome: &str) -> Place {
        if let Some(known) = self.durations.get(outcome) {
            return *known;
        }
        let room = metrics.caps().durations.admits([&self.label, outcome]);
        let label = if room { &*self.label } else { OTHER };
        let place =
            metrics.series().add_duration(&metrics.duration.with_label_values(&[label, outcome]));
        // There are three outcomes.
        self.durations.insert(outcome.into(), place);
        place
    }

    fn step(&mut self, metrics: &EventMetrics, action: &str, status: &str) -> Place {
        if let Some(known) = self.known_step(action, status) {
            return known;
        }
        let mut caps = metrics.caps();
        let (action, status) = (caps.action.admit(action), caps.status.admit(status));
        let room = caps.steps.admits([&self.label, action, status]);
        drop(caps);

        let add = |labels: &[&str; 3]| {
            metrics.series().add_step(&metrics.steps.with_label_values(labels))
        };
        if !room {
            return *self.other_steps.get_or_insert_with(|| add(&[OTHER; 3]));
        }
        if let Some(known) = self.known_step(action, status) {
            return known;
        }
        let place = add(&[&self.label, action, status]);
        self.steps.entry(action.into()).or_default().insert(status.into(), place);
        place
    }

    fn known_step(&self, action: &str, status: &str) -> Option<Place> {
        self.steps.get(action)?.get(status).copied()
    }
}

impl EventMetrics {
    /// Counts events that are committed, in their order.
    pub fn record<'a>(&self, observations: impl Iterator<Item = &'a Observation>) {
        self.series().record(observations);
    }

    fn caps(&self) -> MutexGuard<'_, Caps> {
        self.caps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn series(&self) -> MutexGuard<'_, Series> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a duration in seconds needs no more than 53 bits")]
fn micros_to_seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests;
