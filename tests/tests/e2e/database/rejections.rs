//! Errors that only the database can find.

use anyhow::{Context, Result, ensure};
use audit_tests::{
    eventually,
    generator::{Event, Generator},
    http,
    kafka::RawRecord,
    oracle::Expected,
    pipeline::Pipeline,
};
use chrono::Utc;
use serde_json::Value;
use tokio_postgres::Client;

use super::{PATIENCE, mixture, new_ids, retried};

const SEED: u64 = 0x0A0D_1005;

/// Refuses rows by their workflow, with one SQLSTATE of each class that is about data.
const REFUSING: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        CASE NEW.workflow_name
            WHEN 'disk-full-drain' THEN RAISE 'no such value' USING ERRCODE = '22023';
            WHEN 'oom-kill-restart' THEN RAISE 'check' USING ERRCODE = '23514';
            WHEN 'dns-failure-rotate' THEN RAISE 'too complex' USING ERRCODE = '54001';
            ELSE RETURN NEW;
        END CASE;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON workflow_execution_audit
    FOR EACH ROW EXECUTE FUNCTION refuse()";
const REFUSED: [&str; 3] = ["disk-full-drain", "oom-kill-restart", "dns-failure-rotate"];

#[tokio::test]
async fn records_that_the_database_refuses_become_dead_letters_and_no_others() -> Result<()> {
    let mut pipeline = Pipeline::shared("refused", 4).await?;
    let client = client(&pipeline).await?;
    client.batch_execute(REFUSING).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let kafka = pipeline.servers.kafka;
    kafka.publish(&pipeline.topic, mixture(&mut generator, 150, 4)).await?;

    let consumer = pipeline.consumer().env("AUDIT_BATCH_SIZE", "40").start_ready().await?;
    let oracle = pipeline.oracle();
    oracle.settled(PATIENCE).await?;
    let mut expected = Expected::default();
    let mut refused = 0;
    for record in kafka.read_all(&pipeline.topic).await? {
        if is_refused(&record) {
            expected.see_refused(&record);
            refused += 1;
        } else {
            expected.see(&record);
        }
    }
    oracle.verify_against(&expected).await?;
    assert!(refused >= 5, "{refused} refused records prove little");
    let metrics = consumer.metrics().await?;
    for class in ["22023", "23514", "54001"] {
        let retries = metrics.sum("kubernaut_audit_retries_total", &[("sqlstate", class)]);
        assert!(retries < 0.5, "{retries} retries of {class}");
    }
    pipeline.stop(&consumer).await?;

    // Once the database takes them, reading again stores them and resolves their dead letters.
    client.batch_execute("DROP TRIGGER refuse ON workflow_execution_audit").await?;
    pipeline.group.push_str("_again");
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    let sql = "SELECT count(*) FROM audit_dead_letter \
               WHERE error_code = 'database_rejected' AND resolution = 'stored'";
    let resolved: i64 = client.query_one(sql, &[]).await?.get(0);
    assert_eq!(resolved, refused);
    pipeline.stop(&consumer).await
}

/// What the table would refuse now, but has, is a duplicate: only what is new is inserted.
#[tokio::test]
async fn what_is_stored_already_is_not_refused_when_it_is_read_again() -> Result<()> {
    let mut pipeline = Pipeline::shared("refused_later", 2).await?;
    let client = client(&pipeline).await?;
    let mut generator = Generator::new(SEED + 3, Utc::now());
    let mut records: Vec<_> = generator.events(300).iter().map(Event::record).collect();
    records.retain(|record| record.value.as_deref().is_some_and(names_refused));
    ensure!(!records.is_empty(), "nothing would be refused");
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    let first = pipeline.verify().await?;
    pipeline.stop(&consumer).await?;

    client.batch_execute(REFUSING).await?;
    pipeline.group.push_str("_again");
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    let sql = "SELECT sum(duplicate)::bigint FROM audit_batch WHERE stream = $1";
    let duplicates: i64 = client.query_one(sql, &[&pipeline.group]).await?.get(0);
    assert_eq!(duplicates, first.ledger.stored);
    pipeline.stop(&consumer).await
}

/// Only several rows together are refused, so no one record is at fault.
#[tokio::test]
async fn what_is_nobodys_fault_is_tried_again() -> Result<()> {
    let pipeline = Pipeline::shared("together", 1).await?;
    let client = client(&pipeline).await?;
    client
        .batch_execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 IF (SELECT count(*) > 1 FROM arrived) THEN
                     RAISE 'too many at once' USING ERRCODE = '23514';
                 END IF;
                 RETURN NULL;
             END $$;
             CREATE TRIGGER refuse AFTER INSERT ON workflow_execution_audit
             REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
        )
        .await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let records = new_ids(&mut generator, 21);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    // All but the last are one batch, written as soon as there are so many; the last waits until that is done.
    let whole = pipeline.consumer().env("AUDIT_BATCH_SIZE", "20").env("AUDIT_LINGER", "10s");
    let consumer = whole.start_ready().await?;
    retried(&consumer, "23514", 3.0).await?;
    let written = "SELECT (SELECT count(*) FROM workflow_execution_audit), \
                   (SELECT count(*) FROM audit_dead_letter), (SELECT count(*) FROM audit_batch)";
    let row = client.query_one(written, &[]).await?;
    assert_eq!((row.get(0), row.get(1), row.get(2)), (0_i64, 0_i64, 0_i64));

    client.batch_execute("DROP TRIGGER refuse ON workflow_execution_audit").await?;
    let summary = pipeline.verify().await?;
    assert_eq!((summary.ids, summary.dead_letters), (21, 0));
    pipeline.stop(&consumer).await
}

/// A count that does not fit is a fault of the program: better no more of the partition than a wrong
/// account of it. The other partitions go on.
#[tokio::test]
async fn a_wrong_account_halts_the_partition() -> Result<()> {
    let pipeline = Pipeline::shared("ledger", 2).await?;
    let client = client(&pipeline).await?;
    client
        .batch_execute(
            "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 NEW.stored := NEW.stored + 1;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON audit_batch
             FOR EACH ROW WHEN (NEW.partition = 1) EXECUTE FUNCTION spoil()",
        )
        .await?;
    let mut generator = Generator::new(SEED + 2, Utc::now());
    let records = mixture(&mut generator, 100, 2);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    let labels = [("partition", "1"), ("reason", "ledger_refused")];
    super::counted(&consumer, "kubernaut_audit_partition_halted", &labels, 1.0).await?;

    let halted = "SELECT halted FROM audit_stream WHERE partition = 1 AND halted IS NOT NULL";
    let halted: String = eventually(PATIENCE, "the halt in the stream's row", async || {
        Ok(client.query_one(halted, &[]).await?.get(0))
    })
    .await?;
    assert!(halted.contains("every_offset_accounted_for"), "{halted}");
    let end = pipeline.servers.kafka.watermarks(&pipeline.topic, 0).await?.1;
    eventually(PATIENCE, "the other partition to go on", async || {
        let sql = "SELECT next_offset FROM audit_stream WHERE partition = 0";
        let next: Option<i64> = client.query_one(sql, &[]).await?.get(0);
        ensure!(next == Some(end), "{next:?} of {end}");
        Ok(())
    })
    .await?;
    let written = "SELECT (SELECT count(*) FROM workflow_execution_audit WHERE source_partition = 1) \
                   + (SELECT count(*) FROM audit_dead_letter WHERE partition = 1) \
                   + (SELECT count(*) FROM audit_batch WHERE partition = 1)";
    assert_eq!(client.query_one(written, &[]).await?.get::<_, i64>(0), 0);
    assert!(consumer.log()?.contains("ERROR"), "a halt must be loud");
    eventually(PATIENCE, "the halt to be told", async || {
        let ready = http::get(consumer.admin(), "/readyz?verbose").await?;
        ensure!(ready.status == 200, "{}", ready.status);
        ensure!(ready.text().contains("ledger_refused"), "{}", ready.text());
        Ok(())
    })
    .await?;
    pipeline.stop(&consumer).await?;

    client.batch_execute("DROP TRIGGER spoil ON audit_batch").await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    let halted: Option<String> =
        client.query_one("SELECT max(halted) FROM audit_stream", &[]).await?.get(0);
    assert_eq!(halted, None);
    pipeline.stop(&consumer).await
}

async fn client(pipeline: &Pipeline<'_>) -> Result<Client> {
    pipeline.servers.postgres.connect(&pipeline.database).await.context("connect")
}

fn is_refused(record: &RawRecord) -> bool {
    let is_audit = record.headers.iter().all(|(name, value)| {
        name != audit_schema::topic::HEADER_TYPE
            || value.as_deref() == Some(audit_schema::topic::CE_TYPE.as_bytes())
    });
    is_audit && record.value.as_deref().is_some_and(names_refused)
}

/// Whether an event is of a workflow that the trigger refuses.
fn names_refused(value: &[u8]) -> bool {
    let event: Option<Value> = serde_json::from_slice(value).ok();
    event.is_some_and(|event| {
        event["outcome"] != "exploded" && REFUSED.iter().any(|name| event["workflow_name"] == *name)
    })
}
