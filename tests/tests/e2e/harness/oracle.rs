use std::time::Duration;

use anyhow::Result;
use audit_schema::{decode::Decoder, migrations::MIGRATIONS, problem::Code};
use audit_tests::{
    eventually,
    generator::{Generator, IdKind},
    kafka::RawRecord,
    oracle::{Counts, Oracle},
    postgres::connect,
    shared::{self, Place},
};
use chrono::Utc;
use tokio_postgres::Client;

const SOON: Duration = Duration::from_secs(60);

/// Stores a valid event, as simply as it can be said.
const STORE: &str = "
    INSERT INTO workflow_execution_audit
    SELECT e.id, e.remediation_id, e.workflow_name, e.workflow_version, e.total_steps,
        e.steps_completed, e.steps_failed, e.total_duration / 1000 * interval '1 microsecond',
        e.outcome, e.effectiveness_score, e.rollbacks_performed, e.step_executions,
        nullif(e.adaptive_adjustments, 'null'), e.completed_at, e.status, e.error_message,
        audit_id_time(e.id), jsonb_build_object('kubernetes', e.kubernetes), now(), $2, $3, $4, $5,
        timestamptz 'epoch' + $6::bigint * interval '1 millisecond'
    FROM jsonb_to_record($1::text::jsonb) AS e (
        id uuid, remediation_id text, workflow_name text, workflow_version text, total_steps int,
        steps_completed int, steps_failed int, total_duration bigint, outcome text,
        effectiveness_score float8, rollbacks_performed int, step_executions jsonb,
        adaptive_adjustments jsonb, completed_at timestamptz, status text, error_message text,
        kubernetes jsonb
    )";
const DEAD_LETTER: &str = "
    INSERT INTO audit_dead_letter (topic, partition, \"offset\", record_timestamp, error_code, error_text)
    VALUES ($1, $2, $3, timestamptz 'epoch' + $4::bigint * interval '1 millisecond', 'tombstone', '')";
const LEDGER: &str = "
    INSERT INTO audit_stream (stream, topic, partition, start_offset, next_offset)
    VALUES ($1, $1, 0, 0, 3);
    INSERT INTO audit_batch (stream, topic, partition, first_offset, last_offset, stored, dead_lettered)
    VALUES ($1, $1, 0, 0, 0, 1, 0), ($1, $1, 0, 1, 2, 1, 1)";

#[tokio::test]
async fn it_is_content_with_what_is_right_and_names_what_is_not() -> Result<()> {
    let place = shared::place("oracle", 1).await?;
    let oracle = Oracle {
        kafka: shared::kafka().await?,
        topic: &place.topic,
        database: &place.database_url,
        stream: &place.group,
    };
    store_two_events_and_a_tombstone(&place).await?;

    let summary = oracle.verify(SOON).await?;
    assert_eq!((summary.ids, summary.history, summary.dead_letters), (2, 0, 1));
    assert_eq!(summary.ledger, Counts { stored: 2, dead_lettered: 1, ..Counts::default() });

    let faults = [
        ("UPDATE workflow_execution_audit SET status = 'altered'", "its columns have"),
        ("UPDATE workflow_execution_audit SET source_offset = source_offset + 7", "row "),
        ("DELETE FROM workflow_execution_audit", "missing"),
        ("UPDATE audit_dead_letter SET error_code = 'too_long'", "dead letter"),
        ("DELETE FROM audit_batch WHERE first_offset = 1", "it ends before"),
        (
            "UPDATE audit_batch SET first_offset = 2, stored = 0 WHERE first_offset = 1",
            "begins at 2",
        ),
        (
            "INSERT INTO workflow_execution_audit_history
             SELECT *, now() FROM workflow_execution_audit LIMIT 1",
            "not expected",
        ),
    ];
    let server = shared::postgres().await?;
    for (number, (fault, complaint)) in faults.into_iter().enumerate() {
        let name = format!("{}_{number}", place.database);
        let copy = format!("CREATE DATABASE {name} TEMPLATE {}", place.database);
        let admin = server.connect("postgres").await?;
        // Not before the last session of the original has ended.
        eventually(SOON, "a copy", async || Ok(admin.batch_execute(&copy).await?)).await?;
        server.connect(&name).await?.batch_execute(fault).await?;
        let spoilt = Oracle { database: &server.url(&name), ..oracle };
        let error = spoilt.verify(SOON).await.expect_err(fault).to_string();
        assert!(error.contains(complaint), "{fault}: {error}");
    }
    Ok(())
}

async fn store_two_events_and_a_tombstone(place: &Place) -> Result<()> {
    let kafka = shared::kafka().await?;
    let mut generator = Generator::new(1, Utc::now());
    let mut records: Vec<_> = (0..2).map(|_| generator.event(IdKind::Dated).record()).collect();
    records.push(generator.poison(Code::Tombstone));
    kafka.publish(&place.topic, records).await?;

    let client = connect(&place.database_url).await?;
    for (_, sql) in MIGRATIONS {
        client.batch_execute(sql).await?;
    }
    for record in kafka.read_all(&place.topic).await? {
        store(&client, &place.topic, &record).await?;
    }
    client.batch_execute(&LEDGER.replace("$1", &format!("'{}'", place.topic))).await?;
    Ok(())
}

async fn store(client: &Client, topic: &str, record: &RawRecord) -> Result<()> {
    let at = &record.at;
    let Some(value) = &record.value else {
        client.execute(DEAD_LETTER, &[&topic, &at.partition, &at.offset, &at.timestamp_ms]).await?;
        return Ok(());
    };
    let mut decoder = Decoder::default();
    let event = decoder.decode(value)?;
    let digest = event.digest(event.id.expect("dated events have an id"));
    let text = std::str::from_utf8(value)?;
    client
        .execute(
            STORE,
            &[&text, &digest.as_bytes(), &topic, &at.partition, &at.offset, &at.timestamp_ms],
        )
        .await?;
    Ok(())
}
