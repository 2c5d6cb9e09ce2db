//! What Go sends, literally, and what its row must hold.

use anyhow::Result;
use audit_tests::{
    gateway::{Gateway, acknowledged},
    pipeline::Pipeline,
    postgres::connect,
};

/// What Go's `json.Marshal` writes for an audit of which little more than the workflow is known: no
/// id, no remediation, a zero time, no status.
const SPARSE: &str = r#"{"id":"","remediation_id":"","workflow_name":"test-workflow","workflow_version":"v1","total_steps":3,"steps_completed":3,"steps_failed":0,"total_duration":0,"outcome":"success","effectiveness_score":0.95,"rollbacks_performed":0,"step_executions":null,"adaptive_adjustments":null,"completed_at":"0001-01-01T00:00:00Z","status":""}"#;

/// And for one of which everything is known: escapes, nanoseconds, a time with nine digits and a zone.
const FULL: &str = r#"{"id":"","remediation_id":"rem-\u003c7\u003e","workflow_name":"disk-full-restart","workflow_version":"v2.3.1","total_steps":2,"steps_completed":1,"steps_failed":1,"total_duration":93000001999,"outcome":"failed","effectiveness_score":0.35,"rollbacks_performed":1,"step_executions":[{"step_number":1,"action":"drain-node","duration":1500000000,"status":"completed","retries_attempted":0},{"step_number":2,"action":"expand-volume","duration":91500001999,"status":"failed","retries_attempted":3,"error_message":"quota \u0026 limit"}],"adaptive_adjustments":[{"step_number":2,"adjustment_type":"timeout","reason":"p95","timestamp":"2025-03-01T10:00:00Z"}],"completed_at":"2025-03-01T12:00:00.123456789+02:00","status":"failed","error_message":"step 2 failed","kubernetes":{"cluster":"prod","name":"wf-1"}}"#;

/// Every content column as PostgreSQL prints it; `NULL` for none.
const ROW: &str = "
    SELECT concat_ws(E'\\n',
        'remediation_id=' || remediation_id, 'workflow_name=' || workflow_name,
        'workflow_version=' || workflow_version, 'total_steps=' || coalesce(total_steps::text, 'NULL'),
        'steps_completed=' || coalesce(steps_completed::text, 'NULL'),
        'steps_failed=' || coalesce(steps_failed::text, 'NULL'),
        'total_duration=' || coalesce(total_duration::text, 'NULL'), 'outcome=' || outcome,
        'effectiveness_score=' || coalesce(effectiveness_score::text, 'NULL'),
        'rollbacks_performed=' || coalesce(rollbacks_performed::text, 'NULL'),
        'step_executions=' || coalesce(step_executions::text, 'NULL'),
        'adaptive_adjustments=' || coalesce(adaptive_adjustments::text, 'NULL'),
        'completed_at=' || coalesce((completed_at AT TIME ZONE 'UTC')::text, 'NULL'),
        'status=' || coalesce(status, 'NULL'), 'error_message=' || coalesce(error_message, 'NULL'),
        'extensions=' || coalesce(extensions::text, 'NULL'))
    FROM workflow_execution_audit WHERE id = $1";

#[tokio::test]
async fn what_go_sends_becomes_the_row_it_means() -> Result<()> {
    let pipeline = Pipeline::shared("go_bytes", 2).await?;
    let consumer = pipeline.start_consumer().await?;
    let gateway = Gateway::start(pipeline.servers.kafka.bootstrap(), &pipeline.topic).await?;

    let sparse = acknowledged(&gateway.post(SPARSE.as_bytes()).await?)?;
    let full = acknowledged(&gateway.post(FULL.as_bytes()).await?)?;
    assert_eq!(sparse.topic, pipeline.topic);
    let summary = pipeline.verify().await?;
    assert_eq!((summary.ids, summary.history, summary.dead_letters), (2, 0, 0));

    let database = connect(&pipeline.database_url).await?;
    let row: String = database.query_one(ROW, &[&sparse.id]).await?.get(0);
    let expected = "\
remediation_id=
workflow_name=test-workflow
workflow_version=v1
total_steps=3
steps_completed=3
steps_failed=0
total_duration=00:00:00
outcome=success
effectiveness_score=0.95
rollbacks_performed=0
step_executions=NULL
adaptive_adjustments=NULL
completed_at=NULL
status=
error_message=NULL
extensions=NULL";
    assert_eq!(row, expected);
    let row: String = database.query_one(ROW, &[&full.id]).await?.get(0);
    let expected = r#"remediation_id=rem-<7>
workflow_name=disk-full-restart
workflow_version=v2.3.1
total_steps=2
steps_completed=1
steps_failed=1
total_duration=00:01:33.000001
outcome=failed
effectiveness_score=0.35
rollbacks_performed=1
step_executions=[{"action": "drain-node", "status": "completed", "duration": 1500000000, "step_number": 1, "retries_attempted": 0}, {"action": "expand-volume", "status": "failed", "duration": 91500001999, "step_number": 2, "error_message": "quota & limit", "retries_attempted": 3}]
adaptive_adjustments=[{"reason": "p95", "timestamp": "2025-03-01T10:00:00Z", "step_number": 2, "adjustment_type": "timeout"}]
completed_at=2025-03-01 10:00:00.123456
status=failed
error_message=step 2 failed
extensions={"kubernetes": {"name": "wf-1", "cluster": "prod"}}"#;
    assert_eq!(row, expected);

    // A dated id carries the time of completion, in milliseconds; an undated row takes its record's.
    let created = "
        SELECT extract(epoch FROM created_at)::numeric(20, 3)::text, created_at = record_timestamp
        FROM workflow_execution_audit WHERE id = $1";
    let dated = database.query_one(created, &[&full.id]).await?;
    assert_eq!(dated.get::<_, String>(0), "1740823200.123");
    let undated = database.query_one(created, &[&sparse.id]).await?;
    assert!(undated.get::<_, bool>(1));
    pipeline.stop(&consumer).await
}
