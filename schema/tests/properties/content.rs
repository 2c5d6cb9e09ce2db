//! Contents as the table tells them apart, and events that hold them.

use std::collections::BTreeMap;

use audit_schema::columns::Columns;
use chrono::{DateTime, FixedOffset};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::json::{Json, object, text};
use crate::spelling::{Spelling, jsonb};

type Records = Option<Vec<BTreeMap<String, Json>>>;

/// Equal exactly when the columns of the table are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Content {
    names: [String; 3],
    counts: [Option<i32>; 4],
    /// Microseconds.
    duration: Option<i64>,
    outcome: &'static str,
    score: Option<f64>,
    steps: Records,
    adjustments: Records,
    /// Microseconds since the Unix epoch.
    completed_at: Option<i64>,
    status: Option<String>,
    error_message: Option<String>,
    extensions: BTreeMap<String, Json>,
}

/// 0001-01-01T00:00:00.000001Z to the end of 9999, less a day for offsets.
const TIMES: std::ops::Range<i64> = -62_135_596_799_999_999..253_402_214_400_000_000;

pub(crate) fn content() -> impl Strategy<Value = Content> {
    let count = || option::of(prop_oneof![0..3_i32, 0..=i32::MAX]);
    let plain = (
        [text(), text(), text()],
        [count(), count(), count(), count()],
        option::of(prop_oneof![-2..3_i64, i64::MIN / 1000 + 1..i64::MAX / 1000]),
        prop::sample::select(vec!["success", "failed", "partial"]),
        option::of(prop_oneof![Just(0.0), Just(1.0), Just(0.5), 0.0..=1.0_f64]),
        option::of(prop_oneof![Just(0_i64), Just(-1), TIMES]),
        option::of(text()),
        option::of(text()),
    );
    let json = (option::of(vec(step(), 0..4)), option::of(vec(adjustment(), 0..3)), object());
    (plain, json).prop_map(|(plain, (steps, adjustments, extensions))| {
        let (names, counts, duration, outcome, score, completed_at, status, error_message) = plain;
        Content {
            names,
            counts,
            duration,
            outcome,
            score,
            steps,
            adjustments,
            completed_at,
            status,
            error_message,
            extensions,
        }
    })
}

fn step() -> impl Strategy<Value = BTreeMap<String, Json>> {
    (object(), option::of(text()), option::of(any::<i64>()), option::of(text())).prop_map(
        |(mut step, action, duration, status)| {
            step.insert("action".into(), action.map_or(Json::Null, Json::String));
            step.insert("duration".into(), duration.map_or(Json::Null, Json::Integer));
            if let Some(status) = status {
                step.insert("status".into(), Json::String(status));
            }
            step
        },
    )
}

fn adjustment() -> impl Strategy<Value = BTreeMap<String, Json>> {
    (object(), option::of(text()), option::of(TIMES)).prop_map(|(mut adjustment, reason, time)| {
        adjustment.insert("reason".into(), reason.map_or(Json::Null, Json::String));
        if let Some(time) = time {
            let time = DateTime::from_timestamp_micros(time).unwrap().to_rfc3339();
            adjustment.insert("timestamp".into(), Json::String(time));
        }
        adjustment
    })
}

impl Content {
    /// This content with some of `other`'s fields, one bit of `fields` each.
    pub(crate) fn mixed_with(&self, other: &Self, fields: u16) -> Self {
        let mut mixed = self.clone();
        let mut takes = (0..16).map(|bit| fields & (1 << bit) != 0);
        let mut take = || takes.next().unwrap();
        for (mine, theirs) in mixed.names.iter_mut().zip(&other.names) {
            if take() {
                mine.clone_from(theirs);
            }
        }
        for (mine, theirs) in mixed.counts.iter_mut().zip(&other.counts) {
            if take() {
                *mine = *theirs;
            }
        }
        if take() {
            mixed.duration = other.duration;
        }
        if take() {
            mixed.outcome = other.outcome;
        }
        if take() {
            mixed.score = other.score;
        }
        if take() {
            mixed.steps.clone_from(&other.steps);
        }
        if take() {
            mixed.adjustments.clone_from(&other.adjustments);
        }
        if take() {
            mixed.completed_at = other.completed_at;
        }
        if take() {
            mixed.status.clone_from(&other.status);
        }
        if take() {
            mixed.error_message.clone_from(&other.error_message);
        }
        if take() {
            mixed.extensions.clone_from(&other.extensions);
        }
        mixed
    }

    /// An event with this content, in a spelling that the seed decides.
    pub(crate) fn encode(&self, seed: u64) -> String {
        let mut spelling = Spelling::new(seed);
        let mut fields: Vec<(String, Option<String>)> = Vec::new();
        let mut field = |name: &str, value| fields.push((name.into(), value));

        let names = ["remediation_id", "workflow_name", "workflow_version"];
        for (name, value) in names.iter().zip(&self.names) {
            field(name, Some(spelling.string(value)));
        }
        let names = ["total_steps", "steps_completed", "steps_failed", "rollbacks_performed"];
        for (name, value) in names.iter().zip(&self.counts) {
            field(name, value.map(|count| count.to_string()));
        }
        field("total_duration", self.duration.map(|micros| spelling.nanoseconds(micros)));
        field("outcome", Some(spelling.string(self.outcome)));
        field("effectiveness_score", self.score.map(|score| spelling.score(score)));
        for (name, records) in
            [("step_executions", &self.steps), ("adaptive_adjustments", &self.adjustments)]
        {
            field(name, records.as_ref().map(|records| spelling.json(&array(records))));
        }
        field("completed_at", Some(spelling.time(self.completed_at)));
        field("status", self.status.as_deref().map(|text| spelling.string(text)));
        field("error_message", self.error_message.as_deref().map(|text| spelling.string(text)));
        for (name, value) in &self.extensions {
            field(name, Some(spelling.json(value)));
        }
        field("id", [None, Some("\"\"".into())][spelling.choose(2)].clone());

        // None is sometimes null and sometimes absent.
        let members = fields
            .into_iter()
            .filter(|(_, value)| value.is_some() || spelling.choose(2) == 0)
            .map(|(name, value)| (name, value.unwrap_or("null".into())))
            .collect::<Vec<_>>();
        format!("{}{}{}", spelling.space(), spelling.object(members), spelling.space())
    }

    /// What the table holds, its JSON columns as PostgreSQL writes them.
    pub(crate) fn with_row<T>(&self, use_row: impl FnOnce(&Columns<'_>) -> T) -> T {
        let records = |records: &Records| records.as_ref().map(|records| jsonb(&array(records)));
        let (steps, adjustments) = (records(&self.steps), records(&self.adjustments));
        let extensions =
            (!self.extensions.is_empty()).then(|| jsonb(&Json::Object(self.extensions.clone())));
        let [total_steps, steps_completed, steps_failed, rollbacks_performed] = self.counts;
        use_row(&Columns {
            remediation_id: &self.names[0],
            workflow_name: &self.names[1],
            workflow_version: &self.names[2],
            total_steps,
            steps_completed,
            steps_failed,
            total_duration: self.duration,
            outcome: self.outcome,
            effectiveness_score: self.score,
            rollbacks_performed,
            step_executions: steps.as_deref(),
            adaptive_adjustments: adjustments.as_deref(),
            completed_at: self.completed_at,
            status: self.status.as_deref(),
            error_message: self.error_message.as_deref(),
            extensions: extensions.as_deref(),
        })
    }
}

fn array(records: &[BTreeMap<String, Json>]) -> Json {
    Json::Array(records.iter().cloned().map(Json::Object).collect())
}

impl Spelling {
    /// Some number of nanoseconds that is truncated to these microseconds.
    fn nanoseconds(&mut self, micros: i64) -> String {
        let rest = i64::try_from(self.choose(1000)).unwrap();
        let rest = match micros {
            0 => rest * [1, -1][self.choose(2)],
            _ => rest * micros.signum(),
        };
        (micros * 1000 + rest).to_string()
    }

    fn score(&mut self, score: f64) -> String {
        let shortest = serde_json::to_string(&score).unwrap();
        match self.choose(3) {
            0 if score == 0.0 => "-0".into(),
            1 if !shortest.contains('e') => format!("{shortest}00"),
            _ => shortest,
        }
    }

    /// Some time that is truncated to these microseconds, at some offset.
    fn time(&mut self, micros: Option<i64>) -> String {
        let Some(micros) = micros else {
            let zero = ["null", "\"0001-01-01T00:00:00Z\"", "\"0001-01-01T05:30:00.000+05:30\""];
            return zero[self.choose(3)].into();
        };
        let time = DateTime::from_timestamp_micros(micros).unwrap();
        let minutes = i32::try_from(self.choose(24 * 60)).unwrap();
        let offset = [0, minutes][self.choose(2)] * 60;
        let local = time.with_timezone(&FixedOffset::east_opt(offset).unwrap());
        let rest = ["", "0", "001", "999", "999999"][self.choose(5)];
        let zone = match offset {
            0 => ["Z", "+00:00", "-00:00"][self.choose(3)].to_owned(),
            _ => local.format("%:z").to_string(),
        };
        format!("\"{}{rest}{zone}\"", local.format("%Y-%m-%dT%H:%M:%S%.6f"))
    }
}
