//! What an execution looked like.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use fastrand::Rng;
use uuid::Uuid;

use super::{
    go_json::{Fields, ZERO_TIME, array, object, string, time},
    words::{ACTIONS, ADJUSTMENTS, ERRORS, REMEDIES, SUBJECTS},
};

#[derive(Clone, Debug)]
pub(super) struct Workflow {
    pub(super) kubernetes: Kubernetes,
    pub(super) completed_at: Option<DateTime<FixedOffset>>,
    remediation_id: String,
    name: String,
    version: String,
    planned_steps: usize,
    steps: Vec<Step>,
    adjustments: Option<Vec<Adjustment>>,
    duration: TimeDelta,
    outcome: &'static str,
    score: f64,
    rollbacks: usize,
    status: &'static str,
    error: String,
}

/// The resource's own names, sent as a field the table has no column for.
#[derive(Clone, Debug)]
pub(super) struct Kubernetes {
    pub(super) cluster: String,
    pub(super) uid: String,
    namespace: String,
}

#[derive(Clone, Debug)]
struct Step {
    action: &'static str,
    duration: TimeDelta,
    failed: bool,
    retries: u8,
    error: String,
}

#[derive(Clone, Debug)]
struct Adjustment {
    step: usize,
    kind: (&'static str, &'static str),
    at: DateTime<FixedOffset>,
}

impl Workflow {
    pub(super) fn random(random: &mut Rng, created_at: DateTime<Utc>) -> Self {
        let planned_steps = random.usize(5..=12);
        let fails = random.u8(..100) < 12;
        let done = if fails { random.usize(1..=planned_steps) } else { planned_steps };
        let steps: Vec<Step> =
            (1..=done).map(|number| Step::random(random, fails && number == done)).collect();
        let duration = steps.iter().map(|step| step.duration).sum();
        let completed_at = moment(random, created_at + duration);
        let adjusted = random.u8(..100) < 40;
        let partial = fails && random.bool();
        let rollbacks = if fails { random.usize(..=2) } else { 0 };
        let retries: u32 = steps.iter().map(|step| u32::from(step.retries)).sum();
        let name = format!("{}-{}", any(random, &SUBJECTS), any(random, &REMEDIES));
        Self {
            kubernetes: Kubernetes {
                cluster: format!("prod-{}", any(random, &["eu-central", "us-east", "ap-south"])),
                uid: uuid::Builder::from_random_bytes(random.u128(..).to_ne_bytes())
                    .into_uuid()
                    .to_string(),
                namespace: format!("team-{:02}", random.u8(1..=20)),
            },
            completed_at: Some(completed_at),
            remediation_id: format!("remediation-{name}-{:08x}", random.u32(..)),
            version: format!("v{}.{}.{}", random.u8(1..=3), random.u8(..10), random.u8(..20)),
            name,
            planned_steps,
            adjustments: adjusted.then(|| {
                let count = random.usize(1..=3);
                (0..count).map(|_| Adjustment::random(random, done, created_at)).collect()
            }),
            duration,
            outcome: if partial {
                "partial"
            } else if fails {
                "failed"
            } else {
                "success"
            },
            score: score(done - usize::from(fails), planned_steps, retries, rollbacks),
            rollbacks,
            status: if partial {
                "paused"
            } else if fails {
                "failed"
            } else {
                "completed"
            },
            error: steps.last().filter(|step| step.failed).map_or_else(String::new, |step| {
                format!("step {done} ({}) failed: {}", step.action, step.error)
            }),
            steps,
        }
    }

    /// Changes what the execution is said to have come to.
    pub(super) fn contradict(&mut self, random: &mut Rng) {
        self.outcome = if self.outcome == "success" { "failed" } else { "success" };
        // The number makes every contradiction of one event another one.
        self.error = format!("corrected by reconcile {:016x}", random.u64(..));
    }

    /// The fields in the order of the Go struct.
    pub(super) fn fields(&self, id: Option<Uuid>) -> Fields {
        let failed = self.steps.iter().filter(|step| step.failed).count();
        let mut fields = vec![
            ("id", string(&id.map_or_else(String::new, |id| id.to_string()))),
            ("remediation_id", string(&self.remediation_id)),
            ("workflow_name", string(&self.name)),
            ("workflow_version", string(&self.version)),
            ("total_steps", self.planned_steps.to_string()),
            ("steps_completed", (self.steps.len() - failed).to_string()),
            ("steps_failed", failed.to_string()),
            ("total_duration", nanoseconds(self.duration)),
            ("outcome", string(self.outcome)),
            ("effectiveness_score", self.score.to_string()),
            ("rollbacks_performed", self.rollbacks.to_string()),
            ("step_executions", array(self.steps.iter().zip(1..).map(Step::fields))),
            (
                "adaptive_adjustments",
                // A nil slice.
                self.adjustments.as_ref().map_or_else(
                    || "null".to_owned(),
                    |all| array(all.iter().map(Adjustment::fields)),
                ),
            ),
            ("completed_at", self.completed_at.map_or_else(|| ZERO_TIME.to_owned(), time)),
            ("status", string(self.status)),
        ];
        if !self.error.is_empty() {
            fields.push(("error_message", string(&self.error)));
        }
        fields.push(("kubernetes", self.kubernetes.json(&self.name)));
        fields
    }
}

impl Kubernetes {
    fn json(&self, name: &str) -> String {
        let fields = vec![
            ("cluster", string(&self.cluster)),
            ("namespace", string(&self.namespace)),
            ("name", string(name)),
            ("uid", string(&self.uid)),
            ("apiVersion", string("workflowexecution.kubernaut.io/v1alpha1")),
        ];
        String::from_utf8_lossy(&object(&fields)).into_owned()
    }
}

impl Step {
    fn random(random: &mut Rng, failed: bool) -> Self {
        let retries = match random.u8(..4) {
            _ if failed => 3,
            0 => random.u8(1..=2),
            _ => 0,
        };
        Self {
            action: any(random, &ACTIONS),
            duration: TimeDelta::nanoseconds(random.i64(50_000_000..180_000_000_000)),
            failed,
            retries,
            // A step that went well in the end still says why it was tried again.
            error: if retries > 0 { any(random, &ERRORS).to_owned() } else { String::new() },
        }
    }

    fn fields((step, number): (&Self, usize)) -> Fields {
        let mut fields = vec![
            ("step_number", number.to_string()),
            ("action", string(step.action)),
            ("duration", nanoseconds(step.duration)),
            ("status", string(if step.failed { "failed" } else { "completed" })),
            ("retries_attempted", step.retries.to_string()),
        ];
        if !step.error.is_empty() {
            fields.push(("error_message", string(&step.error)));
        }
        fields
    }
}

impl Adjustment {
    fn random(random: &mut Rng, steps: usize, created_at: DateTime<Utc>) -> Self {
        let later = TimeDelta::seconds(random.i64(1..600));
        Self {
            step: random.usize(1..=steps),
            kind: any(random, &ADJUSTMENTS),
            at: moment(random, created_at + later),
        }
    }

    fn fields(&self) -> Fields {
        vec![
            ("step_number", self.step.to_string()),
            ("adjustment_type", string(self.kind.0)),
            ("reason", string(self.kind.1)),
            ("timestamp", time(self.at)),
        ]
    }
}

/// A `metav1.Time` has whole seconds; others have nanoseconds, some in the zone of their machine.
fn moment(random: &mut Rng, time: DateTime<Utc>) -> DateTime<FixedOffset> {
    let whole = time - TimeDelta::nanoseconds(i64::from(time.timestamp_subsec_nanos()));
    let fraction = TimeDelta::nanoseconds(random.i64(1..1_000_000_000));
    let (moment, hours_east) = match random.u8(..10) {
        0 => (whole + fraction, 2),
        1 | 2 => (whole + fraction, 0),
        _ => (whole, 0),
    };
    let zone = FixedOffset::east_opt(hours_east * 3600).expect("hours of a day");
    moment.with_timezone(&zone)
}

/// The controller's rule: the share of completed steps, less 5 % a retry and 10 % a rollback.
fn score(completed: usize, planned: usize, retries: u32, rollbacks: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful of steps")]
    let share = |count: usize| count as f64;
    let score =
        share(completed) / share(planned) - f64::from(retries) * 0.05 - share(rollbacks) * 0.1;
    score.clamp(0.0, 1.0)
}

fn nanoseconds(duration: TimeDelta) -> String {
    duration.num_nanoseconds().expect("minutes").to_string()
}

fn any<T: Copy>(random: &mut Rng, choices: &[T]) -> T {
    choices[random.usize(..choices.len())]
}
