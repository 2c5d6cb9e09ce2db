//! Executions of every shape, and the events that say so.

use audit_schema::identity;
use audit_tests::kafka::Record;
use chrono::{DateTime, SecondsFormat, Utc};
use fastrand::Rng;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Some need quotes in CSV, some order otherwise in most locales than by their bytes, one acts on a terminal.
pub(super) const WORKFLOWS: [&str; 7] = [
    "disk-full-drain",
    "Zeta",
    "alpha",
    "ähre, \"дрейн\"",
    "node\u{1b}[31m\n-pressure",
    NEVER_SCORED,
    "",
];
const NEVER_SCORED: &str = "never-scored";
/// Their executions are the same, in another order: every average is a tie.
pub(super) const TWINS: [&str; 2] = ["twin-a", "twin-b"];
const ACTIONS: [&str; 5] = ["cordon", "drain,\nforce", "Drain", "élan", NEVER_TIMED];
const NEVER_TIMED: &str = "=1+1";
const ERRORS: [&str; 4] = ["timed out", "quota: \"cpu\"", "Timed out\n\tretry", ""];
const REASONS: [&str; 3] = ["p95 exceeded", "skip: \u{202e}done", "5xx"];

/// What the summaries count. `None` is null or absent in the event.
#[derive(Clone, Debug)]
pub(super) struct Execution {
    pub(super) id: Uuid,
    /// Microseconds since the Unix epoch.
    pub(super) created_at: i64,
    pub(super) workflow: String,
    pub(super) outcome: &'static str,
    /// Ten-thousandths.
    pub(super) score: Option<i64>,
    pub(super) total_steps: Option<i32>,
    pub(super) steps_failed: Option<i32>,
    /// Nanoseconds.
    pub(super) total_duration: Option<i64>,
    pub(super) steps: Option<Vec<Step>>,
    pub(super) adjustments: Option<Vec<Adjustment>>,
    pub(super) error: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) action: Option<&'static str>,
    /// Nanoseconds.
    pub(super) duration: Option<i64>,
    pub(super) failed: bool,
    pub(super) retries: Option<i32>,
}

#[derive(Clone, Debug)]
pub(super) struct Adjustment {
    pub(super) kind: Option<&'static str>,
    pub(super) reason: Option<&'static str>,
}

impl Execution {
    /// One that was created then. The id carries that time where it can: in whole milliseconds.
    pub(super) fn random(random: &mut Rng, created_at: i64) -> Self {
        let workflow = any(random, &WORKFLOWS);
        let steps = random.usize(..5);
        let adjustments = random.usize(..3);
        let id = if created_at % 1000 == 0 && random.u8(..4) > 0 {
            let time = DateTime::from_timestamp_micros(created_at).expect("a time of our days");
            identity::from_resource("cluster", &random.u128(..).to_string(), time)
        } else {
            random_id(random)
        };
        Self {
            id,
            created_at,
            workflow: workflow.to_owned(),
            outcome: any(random, &["success", "success", "failed", "partial"]),
            score: if workflow == NEVER_SCORED {
                None
            } else {
                maybe(random, |random| random.i64(0..=10_000))
            },
            total_steps: maybe(random, |random| random.i32(0..20)),
            steps_failed: maybe(random, |random| random.i32(0..4)),
            total_duration: maybe(random, duration),
            steps: maybe(random, |random| (0..steps).map(|_| Step::random(random)).collect()),
            adjustments: maybe(random, |random| {
                (0..adjustments).map(|_| Adjustment::random(random)).collect()
            }),
            error: maybe(random, |random| any(random, &ERRORS)),
        }
    }

    /// The same of another workflow, with an id of its own.
    pub(super) fn twin(&self, random: &mut Rng, workflow: &str) -> Self {
        Self { id: random_id(random), workflow: workflow.to_owned(), ..self.clone() }
    }

    /// The record that says so. `completed_at` gives the row its time where the id does not.
    pub(super) fn record(&self) -> Record {
        let time = DateTime::<Utc>::from_timestamp_micros(self.created_at).expect("our days");
        let event = json!({
            "id": self.id,
            "remediation_id": "rr-1",
            "workflow_name": self.workflow,
            "workflow_version": "v1",
            "outcome": self.outcome,
            "effectiveness_score": self.score.map(|score| {
                let text = format!("{}.{:04}", score / 10_000, score % 10_000);
                text.parse::<f64>().expect("a number")
            }),
            "total_steps": self.total_steps,
            "steps_failed": self.steps_failed,
            "total_duration": self.total_duration,
            "step_executions":
                self.steps.as_ref().map(|steps| steps.iter().map(Step::json).collect::<Vec<_>>()),
            "adaptive_adjustments": self.adjustments.as_ref().map(|adjustments| {
                adjustments.iter().map(Adjustment::json).collect::<Vec<_>>()
            }),
            "completed_at": time.to_rfc3339_opts(SecondsFormat::Micros, true),
            "error_message": self.error,
        });
        Record::new(event.to_string()).with_key(self.id.to_string())
    }
}

impl Step {
    fn random(random: &mut Rng) -> Self {
        let action = maybe(random, |random| any(random, &ACTIONS));
        Self {
            action,
            duration: if action == Some(NEVER_TIMED) { None } else { maybe(random, duration) },
            failed: random.bool(),
            retries: maybe(random, |random| random.i32(-1..4)),
        }
    }

    fn json(&self) -> Value {
        // What is not there is absent here, and null in the event's own fields.
        let mut step = Map::new();
        step.extend(self.action.map(|action| ("action".to_owned(), action.into())));
        step.extend(self.duration.map(|duration| ("duration".to_owned(), duration.into())));
        step.extend(self.retries.map(|retries| ("retries_attempted".to_owned(), retries.into())));
        step.insert("status".into(), if self.failed { "failed" } else { "completed" }.into());
        step.into()
    }
}

impl Adjustment {
    fn random(random: &mut Rng) -> Self {
        Self {
            kind: maybe(random, |random| any(random, &["timeout", "retry", "skip"])),
            reason: maybe(random, |random| any(random, &REASONS)),
        }
    }

    fn json(&self) -> Value {
        json!({"adjustment_type": self.kind, "reason": self.reason})
    }
}

fn random_id(random: &mut Rng) -> Uuid {
    uuid::Builder::from_random_bytes(random.u128(..).to_ne_bytes()).into_uuid()
}

/// Mostly minutes, sometimes a clock that was set back, sometimes nothing at all.
fn duration(random: &mut Rng) -> i64 {
    match random.u8(..10) {
        0 => -random.i64(1..5_000_000_000),
        1 => 0,
        _ => random.i64(1..600_000_000_000),
    }
}

fn maybe<T>(random: &mut Rng, value: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    (random.u8(..8) > 0).then(|| value(random))
}

fn any<T: Copy>(random: &mut Rng, choices: &[T]) -> T {
    choices[random.usize(..choices.len())]
}
