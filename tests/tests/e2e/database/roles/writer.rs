//! The writer can do all that `run` does, and nothing beyond.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    generator::{Generator, IdKind},
    kafka::Record,
    oracle::{Expected, Oracle},
    pipeline::Pipeline,
    postgres::PostgresServer,
};
use chrono::Utc;

use super::{READER, WRITERS, may_not, may_not_migrate, pipeline, relations, server, session, url};
use crate::database::{PATIENCE, mixture, poison, retried};

const SEED: u64 = 0x0A0D_1022;
const PARTITIONS: i32 = 4;

/// Promotions, months made on the way, dead letters, a consumer killed and taken over from, offsets given up, and all
/// of it read again: nothing of it needs more than the writer's rights, and the reader sees that it is right.
#[tokio::test]
async fn the_whole_pipeline_runs_as_the_writer() -> Result<()> {
    let postgres = server().await?;
    let mut pipeline = pipeline(&postgres, "writer", PARTITIONS).await?;
    let mut generator =
        Generator::new(SEED, Utc::now()).spread_over(Duration::from_secs(2 * 365 * 86_400));
    let records = contents_in_every_order(&mut generator);
    let count = i64::try_from(records.len())?;
    let kafka = pipeline.servers.kafka;
    kafka.publish(&pipeline.topic, records).await?;

    let small = |url: String| {
        pipeline.consumer().env("AUDIT_DATABASE_URL", url).env("AUDIT_BATCH_SIZE", "20")
    };
    let [one, other] = WRITERS.map(|user| small(url(&postgres, user, &pipeline.database)));
    let killed = one.clone().quiet().start()?;
    pipeline.reaches(count / 4).await?;
    killed.kill().await?;
    let consumers = [one.start_ready().await?, other.start_ready().await?];
    let reader = url(&postgres, READER, &pipeline.database);
    let oracle = Oracle { database: &reader, ..pipeline.oracle() };
    let summary = oracle.verify(PATIENCE).await?;
    assert!(summary.history > 100 && summary.dead_letters > 20, "{summary:?}");
    called(&postgres, &pipeline, "audit_leave_history", 1).await?;
    called(&postgres, &pipeline, "audit_add_partition", 13).await?;
    for consumer in &consumers {
        pipeline.stop(consumer).await?;
    }

    offsets_are_given_up(&pipeline, &mut generator).await?;
    read_again_resolves_a_dead_letter(&postgres, &mut pipeline).await
}

/// An id's contents come again after others have become current, so that some leave history. One is sure to: its
/// records are the first, the middle and the last of a partition, which no batch has together.
fn contents_in_every_order(generator: &mut Generator) -> Vec<Record> {
    let mut records = Vec::new();
    for event in generator.events(300) {
        let conflict = generator.conflict(&event);
        for _ in 0..2 {
            for one in [&event, &conflict] {
                let partition = generator.random().i32(0..PARTITIONS);
                records.push(one.record().to_partition(partition));
            }
        }
    }
    records.extend((0..30).map(|_| poison(generator)));
    generator.random().shuffle(&mut records);
    let event = generator.event(IdKind::Dated);
    let [first, other] = [event.record(), generator.conflict(&event).record()];
    records.insert(0, first.clone().to_partition(0));
    records.insert(records.len() / 2, other.to_partition(0));
    records.push(first.to_partition(0));
    records
}

/// Waits until a function is known to have been called so often. Sessions tell of it some time after they did.
async fn called(
    postgres: &PostgresServer,
    pipeline: &Pipeline<'_>,
    function: &str,
    at_least: i64,
) -> Result<()> {
    let sql =
        "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_user_functions WHERE funcname = $1";
    let superuser = postgres.connect(&pipeline.database).await?;
    eventually(PATIENCE, &format!("{at_least} calls of {function}"), async || {
        let calls: i64 = superuser.query_one(sql, &[&function]).await?.get(0);
        ensure!(calls >= at_least, "{calls}");
        Ok(())
    })
    .await
}

async fn offsets_are_given_up(pipeline: &Pipeline<'_>, generator: &mut Generator) -> Result<()> {
    let kafka = pipeline.servers.kafka;
    let mut expected = Expected::of(&kafka.read_all(&pipeline.topic).await?);
    let (_, from) = kafka.watermarks(&pipeline.topic, 0).await?;
    let lost = generator.events(10).iter().map(|event| event.record().to_partition(0)).collect();
    kafka.publish(&pipeline.topic, lost).await?;
    let (_, end) = kafka.watermarks(&pipeline.topic, 0).await?;
    kafka.delete_records(&pipeline.topic, 0, end).await?;
    let kept: Vec<Record> =
        generator.events(10).iter().map(|event| event.record().to_partition(0)).collect();
    kafka.publish(&pipeline.topic, kept).await?;

    let lost = format!("{}:0:{from}-{}", pipeline.topic, end - 1);
    let accepting = ["--accept-lost", &lost, "--reason", "a test"];
    let consumer = pipeline.consumer().args(accepting).start_ready().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    for record in kafka.read_all(&pipeline.topic).await? {
        if record.at.partition == 0 && record.at.offset >= end {
            expected.see(&record);
        }
    }
    let summary = pipeline.oracle().verify_against(&expected).await?;
    assert_eq!(summary.ledger.lost, end - from);
    pipeline.stop(&consumer).await
}

/// Another stream reads the same topic, and a record that was stored had a dead letter still open.
async fn read_again_resolves_a_dead_letter(
    postgres: &PostgresServer,
    pipeline: &mut Pipeline<'_>,
) -> Result<()> {
    let superuser = postgres.connect(&pipeline.database).await?;
    let open = "
        INSERT INTO audit_dead_letter (topic, partition, \"offset\", record_timestamp, error_code, error_text)
        SELECT source_topic, source_partition, source_offset, record_timestamp, 'a_test', 'a test'
        FROM workflow_execution_audit WHERE source_partition = 1 LIMIT 1";
    assert_eq!(superuser.execute(open, &[]).await?, 1);
    pipeline.group.push_str("_again");
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    let sql = "SELECT
        (SELECT resolution FROM audit_dead_letter WHERE error_code = 'a_test'),
        (SELECT min(attempts) FROM audit_dead_letter WHERE error_code <> 'a_test' AND partition > 0)";
    let row = superuser.query_one(sql, &[]).await?;
    assert_eq!((row.get(0), row.get(1)), (Some("stored"), Some(2)));
    pipeline.stop(&consumer).await
}

#[tokio::test]
async fn the_writer_can_do_nothing_beyond() -> Result<()> {
    let postgres = server().await?;
    let pipeline = pipeline(&postgres, "beyond", 1).await?;
    let writer = session(&postgres, WRITERS[0], &pipeline.database).await?;
    let mut statements = Vec::new();
    for relation in relations(&writer).await? {
        let (name, column) = (&relation.name, &relation.first_column);
        if relation.is_view {
            statements.push(format!("DROP VIEW {name}"));
            continue;
        }
        statements.extend([
            format!("DELETE FROM {name}"),
            format!("DELETE FROM {name} WHERE false"),
            format!("TRUNCATE {name}"),
            format!("DROP TABLE {name}"),
            format!("ALTER TABLE {name} ADD COLUMN mine int"),
            format!("ALTER TABLE {name} DISABLE TRIGGER ALL"),
            format!("ALTER TABLE {name} OWNER TO {}", WRITERS[0]),
            format!("CREATE INDEX ON {name} ({column})"),
            format!("COMMENT ON TABLE {name} IS 'mine'"),
            format!("SELECT; LOCK TABLE {name} IN SHARE MODE"),
            format!("SELECT; LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"),
            // A row's key; the first column of each.
            format!("UPDATE {name} SET {column} = {column}"),
        ]);
        if relation.is_partition {
            statements.push(format!("INSERT INTO {name} DEFAULT VALUES"));
        }
    }
    statements.extend(
        [
            "UPDATE workflow_execution_audit_history SET outcome = outcome",
            "UPDATE workflow_execution_audit_history SET content_digest = content_digest",
            "UPDATE audit_batch SET lost = lost",
            "UPDATE audit_batch SET reason = reason",
            "UPDATE audit_batch SET first_offset = first_offset",
            "UPDATE audit_dead_letter SET value = value",
            "UPDATE audit_dead_letter SET resolution_reason = resolution_reason",
            "UPDATE audit_writer_right SET privilege = 'DELETE'",
            "INSERT INTO audit_writer_right VALUES ('audit_id', 'DELETE')",
            "UPDATE audit_schema_support SET oldest_binary = 99",
            "SELECT audit_grant_rights()",
            "ALTER FUNCTION audit_add_partition(date) RESET search_path",
            "DROP FUNCTION audit_leave_history(uuid[], bytea[])",
            "CREATE OR REPLACE FUNCTION audit_id_time(uuid) RETURNS timestamptz RETURN now()",
            "CREATE TABLE mine ()",
            "CREATE FUNCTION mine() RETURNS int RETURN 1",
            "CREATE SCHEMA mine",
            "CREATE ROLE mine",
            "SET ROLE audit_owner",
            "SET ROLE audit_migrator",
            "SET session_replication_role = replica",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'audit'",
        ]
        .map(ToOwned::to_owned),
    );
    let idle = postgres.connect(&pipeline.database).await?;
    may_not(&writer, &statements).await;
    drop(idle);
    may_not_migrate(&pipeline, WRITERS[0]).await
}

/// The two functions that run as the owner do what they are for and nothing else, whatever they are given.
#[tokio::test]
async fn the_owners_functions_cannot_be_abused() -> Result<()> {
    let postgres = server().await?;
    let pipeline = pipeline(&postgres, "abuse", 1).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let kafka = pipeline.servers.kafka;
    kafka.publish(&pipeline.topic, mixture(&mut generator, 50, 1)).await?;
    let consumer = pipeline.start_consumer().await?;
    let summary = pipeline.verify().await?;
    assert!(summary.history > 10, "{summary:?}");
    pipeline.stop(&consumer).await?;

    let writer = session(&postgres, WRITERS[0], &pipeline.database).await?;
    writer
        .batch_execute(
            "SELECT audit_leave_history(array_agg(id), array_agg(content_digest)) \
             FROM workflow_execution_audit_history; \
             SELECT audit_leave_history(array_agg(id), array_agg(content_digest)) FROM workflow_execution_audit",
        )
        .await?;
    assert_eq!(pipeline.verify().await?.history, summary.history);

    // Tables of the caller under the names that the function uses, with code of the caller in them.
    writer
        .batch_execute(
            "CREATE FUNCTION pg_temp.code() RETURNS text LANGUAGE plpgsql \
             AS $$ BEGIN RAISE 'as %', current_user; END $$; \
             CREATE TEMP TABLE workflow_execution_audit ( \
                 created_at timestamptz DEFAULT now(), code text DEFAULT pg_temp.code() \
             ) PARTITION BY RANGE (created_at); \
             CREATE TEMP TABLE workflow_execution_audit_default ( \
                 created_at timestamptz, code text CHECK (pg_temp.code() IS NULL) \
             )",
        )
        .await?;
    writer.batch_execute("SELECT audit_add_partition('2001-01-01')").await?;
    let sql = "SELECT inhparent = 'public.workflow_execution_audit'::regclass FROM pg_inherits \
               WHERE inhrelid = 'public.workflow_execution_audit_2001_01'::regclass";
    let attached: bool = writer.query_one(sql, &[]).await?.get(0);
    assert!(attached);
    for outside in ["1999-12-01", "2999-01-01"] {
        let make = format!("SELECT audit_add_partition('{outside}')");
        assert!(writer.batch_execute(&make).await.is_err(), "{outside}");
    }
    Ok(())
}

/// A right that goes missing while it runs is an outage like another: told, and waited for.
#[tokio::test]
async fn a_right_that_is_taken_away_is_waited_for() -> Result<()> {
    let postgres = server().await?;
    let pipeline = pipeline(&postgres, "taken_away", 2).await?;
    let mut generator = Generator::new(SEED + 2, Utc::now());
    let kafka = pipeline.servers.kafka;
    kafka.publish(&pipeline.topic, mixture(&mut generator, 40, 2)).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    let superuser = postgres.connect(&pipeline.database).await?;
    superuser.batch_execute("REVOKE INSERT ON workflow_execution_audit FROM audit_writer").await?;
    kafka.publish(&pipeline.topic, mixture(&mut generator, 40, 2)).await?;
    retried(&consumer, "42501", 2.0).await?;
    eventually(PATIENCE, "the log to say so", async || {
        ensure!(consumer.log()?.contains("docs/database-roles.md"), "it does not");
        Ok(())
    })
    .await?;
    superuser.batch_execute("GRANT INSERT ON workflow_execution_audit TO audit_writer").await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await
}
