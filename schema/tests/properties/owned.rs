//! What publishers fill in is what the consumer reads.

use audit_schema::decode::Decoder;
use audit_schema::event::{
    AdaptiveAdjustment, Outcome, StepExecutionAudit, WorkflowExecutionAudit,
};
use chrono::{DateTime, Utc};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::cases;
use crate::json::text;

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (-62_135_596_799_i64..253_402_300_799, 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap())
}

fn step() -> impl Strategy<Value = StepExecutionAudit> {
    let fields =
        (any::<i32>(), text(), option::of(any::<i64>()), text(), any::<i32>(), option::of(text()));
    fields.prop_map(|(step_number, action, duration, status, retries_attempted, error_message)| {
        StepExecutionAudit {
            step_number,
            action,
            duration,
            status,
            retries_attempted,
            error_message,
        }
    })
}

fn adjustment() -> impl Strategy<Value = AdaptiveAdjustment> {
    (any::<i32>(), text(), text(), option::of(time())).prop_map(
        |(step_number, adjustment_type, reason, timestamp)| AdaptiveAdjustment {
            step_number,
            adjustment_type,
            reason,
            timestamp,
        },
    )
}

fn extensions() -> impl Strategy<Value = Map<String, Value>> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300_f64).prop_map(Value::from),
        text().prop_map(Value::from),
        vec(text(), 0..3).prop_map(|texts| json!({"texts": texts, "more": {}})),
    ];
    btree_map("x[a-z]{0,6}", value, 0..4).prop_map(|members| members.into_iter().collect())
}

fn audit() -> impl Strategy<Value = WorkflowExecutionAudit> {
    let count = || option::of(0..=i32::MAX);
    (
        (option::of(any::<u128>().prop_map(Uuid::from_u128)), text(), text(), text()),
        (count(), count(), count(), option::of(any::<i64>()), count()),
        (prop::sample::select(Outcome::ALL.to_vec()), option::of(0.0..=1.0_f64)),
        (option::of(vec(step(), 0..4)), option::of(vec(adjustment(), 0..3))),
        (option::of(time()), option::of(text()), option::of(text()), extensions()),
    )
        .prop_map(|(names, counts, (outcome, score), (steps, adjustments), rest)| {
            WorkflowExecutionAudit {
                id: names.0,
                total_steps: counts.0,
                steps_completed: counts.1,
                steps_failed: counts.2,
                total_duration: counts.3,
                rollbacks_performed: counts.4,
                effectiveness_score: score,
                step_executions: steps,
                adaptive_adjustments: adjustments,
                completed_at: rest.0,
                status: rest.1,
                error_message: rest.2,
                extensions: rest.3,
                ..WorkflowExecutionAudit::new(names.1, names.2, names.3, outcome)
            }
        })
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn decoding_agrees_with_the_owned_event(audit in audit()) {
        let value = serde_json::to_vec(&audit).unwrap();
        let mut decoder = Decoder::default();
        let event = decoder.decode(&value).unwrap();
        let columns = &event.columns;

        prop_assert_eq!(event.id, audit.id);
        prop_assert_eq!(columns.remediation_id, &audit.remediation_id);
        prop_assert_eq!(columns.workflow_name, &audit.workflow_name);
        prop_assert_eq!(columns.workflow_version, &audit.workflow_version);
        prop_assert_eq!(columns.total_steps, audit.total_steps);
        prop_assert_eq!(columns.steps_completed, audit.steps_completed);
        prop_assert_eq!(columns.steps_failed, audit.steps_failed);
        prop_assert_eq!(columns.total_duration, audit.total_duration.map(|ns| ns / 1000));
        prop_assert_eq!(columns.outcome, audit.outcome.as_str());
        prop_assert_eq!(columns.effectiveness_score, audit.effectiveness_score);
        prop_assert_eq!(columns.rollbacks_performed, audit.rollbacks_performed);
        let completed_at = audit.completed_at.map(|time| time.timestamp_micros());
        prop_assert_eq!(columns.completed_at, completed_at);
        prop_assert_eq!(columns.status, audit.status.as_deref());
        prop_assert_eq!(columns.error_message, audit.error_message.as_deref());

        let steps: Option<Vec<StepExecutionAudit>> =
            columns.step_executions.map(|text| serde_json::from_str(text).unwrap());
        let named = audit.step_executions.iter().flatten();
        let named: Vec<_> = named.map(|step| (step.action.as_str(), step.status.as_str())).collect();
        prop_assert_eq!(event.steps().collect::<Vec<_>>(), named);
        prop_assert_eq!(&steps, &audit.step_executions);
        let adjustments: Option<Vec<AdaptiveAdjustment>> =
            columns.adaptive_adjustments.map(|text| serde_json::from_str(text).unwrap());
        prop_assert_eq!(&adjustments, &audit.adaptive_adjustments);
        let extensions: Option<Map<String, Value>> =
            columns.extensions.map(|text| serde_json::from_str(text).unwrap());
        prop_assert_eq!(extensions.unwrap_or_default(), audit.extensions);
    }

    #[test]
    fn the_owned_event_reads_back_what_it_wrote(audit in audit()) {
        let value = serde_json::to_vec(&audit).unwrap();
        let read: WorkflowExecutionAudit = serde_json::from_slice(&value).unwrap();
        prop_assert_eq!(read, audit);
    }
}
