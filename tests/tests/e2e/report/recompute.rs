//! The summaries in plain Rust: exact averages, and `PERCENTILE_CONT` as the SQL standard defines it.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Value, json};

use super::model::{Execution, Step};

/// A summary's name and columns, and how to compute its rows in their order.
pub(super) struct Summary {
    pub(super) name: &'static str,
    pub(super) view: &'static str,
    pub(super) columns: &'static [&'static str],
    pub(super) days: i64,
    pub(super) limit: Option<usize>,
    pub(super) rows: fn(&[&Execution]) -> Vec<Vec<Value>>,
}

/// All of them, with the window and the limit they have by default.
pub(super) const SUMMARIES: [Summary; 5] = [
    Summary {
        name: "effective-workflows",
        view: "audit_effective_workflows",
        columns: &[
            "workflow_name",
            "execution_count",
            "avg_effectiveness",
            "avg_steps",
            "avg_duration_seconds",
        ],
        days: 30,
        limit: Some(10),
        rows: effective_workflows,
    },
    Summary {
        name: "needs-optimization",
        view: "audit_needs_optimization",
        columns: &["workflow_name", "failure_count", "avg_failed_steps", "error_patterns"],
        days: 7,
        limit: None,
        rows: needs_optimization,
    },
    Summary {
        name: "slow-steps",
        view: "audit_slow_steps",
        columns: &[
            "workflow_name",
            "action_type",
            "execution_count",
            "avg_duration_ms",
            "p95_duration_ms",
        ],
        days: 7,
        limit: Some(20),
        rows: slow_steps,
    },
    Summary {
        name: "retry-patterns",
        view: "audit_retry_patterns",
        columns: &["action_type", "avg_retries", "total_executions", "failures"],
        days: 7,
        limit: None,
        rows: retry_patterns,
    },
    Summary {
        name: "adjustments",
        view: "audit_adjustments",
        columns: &["adjustment_type", "reason", "frequency"],
        days: 30,
        limit: None,
        rows: adjustments,
    },
];

fn effective_workflows(executions: &[&Execution]) -> Vec<Vec<Value>> {
    let succeeded = executions.iter().filter(|one| one.outcome == "success");
    let mut groups: Vec<_> = grouped(succeeded, |one| one.workflow.as_str())
        .into_iter()
        .map(|(name, group)| (Mean::of(group.iter().map(|one| one.score)), name, group))
        .collect();
    groups.sort_by_key(|(score, name, _)| (Reverse(*score), *name));
    groups
        .into_iter()
        .map(|(score, name, group)| {
            let steps = Mean::of(group.iter().map(|one| one.total_steps.map(i64::from)));
            // The table has whole microseconds.
            let durations =
                Mean::of(group.iter().map(|one| one.total_duration.map(|time| time / 1000)));
            vec![
                json!(name),
                json!(group.len()),
                score.value(1e4),
                steps.value(1.0),
                durations.value(1e6),
            ]
        })
        .collect()
}

fn needs_optimization(executions: &[&Execution]) -> Vec<Vec<Value>> {
    let failed = executions.iter().filter(|one| one.outcome == "failed");
    let mut groups: Vec<_> = grouped(failed, |one| one.workflow.as_str()).into_iter().collect();
    groups.sort_by_key(|(name, group)| (Reverse(group.len()), *name));
    groups
        .into_iter()
        .map(|(name, group)| {
            let failed_steps = Mean::of(group.iter().map(|one| one.steps_failed.map(i64::from)));
            let errors: BTreeSet<&str> = group.iter().filter_map(|one| one.error).collect();
            vec![json!(name), json!(group.len()), failed_steps.value(1.0), json!(errors)]
        })
        .collect()
}

fn slow_steps(executions: &[&Execution]) -> Vec<Vec<Value>> {
    let steps = executions
        .iter()
        .flat_map(|one| one.steps.iter().flatten().map(|step| (one.workflow.as_str(), step)));
    let mut groups: Vec<_> = grouped(steps, |(workflow, step)| (*workflow, step.action))
        .into_iter()
        .map(|(key, group)| (Mean::of(group.iter().map(|(_, step)| step.duration)), key, group))
        .collect();
    groups.sort_by_key(|(duration, (workflow, action), _)| {
        (Reverse(*duration), *workflow, nulls_last(*action))
    });
    groups
        .into_iter()
        .map(|(duration, (workflow, action), group)| {
            let durations = group.iter().filter_map(|(_, step)| step.duration);
            let p95 = percentile_cont(0.95, durations.map(milliseconds).collect());
            vec![
                json!(workflow),
                json!(action),
                json!(group.len()),
                duration.value(1e6),
                json!(p95),
            ]
        })
        .collect()
}

fn retry_patterns(executions: &[&Execution]) -> Vec<Vec<Value>> {
    let retried = |step: &&Step| step.retries.is_some_and(|retries| retries > 0);
    let steps = executions.iter().flat_map(|one| one.steps.iter().flatten()).filter(retried);
    let mut groups: Vec<_> = grouped(steps, |step| step.action)
        .into_iter()
        .map(|(action, group)| {
            (Mean::of(group.iter().map(|step| step.retries.map(i64::from))), action, group)
        })
        .collect();
    groups.sort_by_key(|(retries, action, _)| (Reverse(*retries), nulls_last(*action)));
    groups
        .into_iter()
        .map(|(retries, action, group)| {
            let failures = group.iter().filter(|step| step.failed).count();
            vec![json!(action), retries.value(1.0), json!(group.len()), json!(failures)]
        })
        .collect()
}

fn adjustments(executions: &[&Execution]) -> Vec<Vec<Value>> {
    let all = executions.iter().flat_map(|one| one.adjustments.iter().flatten());
    let mut groups: Vec<_> = grouped(all, |one| (one.kind, one.reason)).into_iter().collect();
    groups.sort_by_key(|((kind, reason), group)| {
        (Reverse(group.len()), nulls_last(*kind), nulls_last(*reason))
    });
    groups
        .into_iter()
        .map(|((kind, reason), group)| vec![json!(kind), json!(reason), json!(group.len())])
        .collect()
}

fn grouped<T, K: Ord>(
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> K,
) -> BTreeMap<K, Vec<T>> {
    let mut groups: BTreeMap<K, Vec<T>> = BTreeMap::new();
    for item in items {
        groups.entry(key(&item)).or_default().push(item);
    }
    groups
}

fn nulls_last(text: Option<&str>) -> (bool, Option<&str>) {
    (text.is_none(), text)
}

/// An average as an exact fraction; of nothing, it is less than every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mean {
    sum: i128,
    count: i128,
}

impl Mean {
    fn of(values: impl Iterator<Item = Option<i64>>) -> Self {
        values.flatten().fold(Self { sum: 0, count: 0 }, |mean, value| Self {
            sum: mean.sum + i128::from(value),
            count: mean.count + 1,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
    fn value(self, units: f64) -> Value {
        match self.count {
            0 => Value::Null,
            count => json!(self.sum as f64 / count as f64 / units),
        }
    }
}

impl Ord for Mean {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.count, other.count) {
            (0, _) | (_, 0) => self.count.min(1).cmp(&other.count.min(1)),
            _ => (self.sum * other.count).cmp(&(other.sum * self.count)),
        }
    }
}

impl PartialOrd for Mean {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[expect(clippy::cast_precision_loss, reason = "the database computes in the same floats")]
fn milliseconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e6
}

/// Between the two values whose places are around `fraction` of the way, linearly.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places of at most thousands of values"
)]
fn percentile_cont(fraction: f64, mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let place = fraction * (values.len().checked_sub(1)? as f64);
    let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
    Some(low + (place - place.floor()) * (high - low))
}
