//! What cannot be reported, and reports that end early.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{binary::Output, eventually, kafka::Record, pipeline::Pipeline};

use super::report;

const PATIENCE: Duration = Duration::from_secs(180);
const UNKNOWN: &str = "01946983-4cbb-8a0d-966a-251a971e4ba9";

#[track_caller]
fn refused(output: &Output, code: i32, words: &[&str]) {
    let Output { command, stderr, stdout, .. } = output;
    assert_eq!((output.code, stdout.as_str()), (Some(code), ""), "{command}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{command}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{command}: {word:?} is not in {stderr:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_reported_is_refused_in_one_line() -> Result<()> {
    let pipeline = Pipeline::shared("refused", 1).await?;
    let cases: [(&[&str], i32, &[&str]); 12] = [
        (&["slow-steps", "--since", "yesterday"], 2, &["--since", "yesterday", "30d"]),
        (&["slow-steps", "--until", "2025-02-30"], 2, &["--until", "2025-02-30"]),
        (&["slow-steps", "--since", "1d", "--until", "2d"], 2, &["--since", "--until"]),
        (&["slow-steps", "--since", "3000000d"], 2, &["--since", "years"]),
        (&["adjustments", "--limit", "0"], 2, &["--limit", "all"]),
        (&["adjustments", "--format", "xml"], 2, &["--format", "csv"]),
        (&["adjustments", "--timeout", "5"], 2, &["--timeout", "5s"]),
        (&["slow-step"], 2, &["slow-step", "slow-steps"]),
        (&["execution", "17"], 2, &["17", "UUID"]),
        (&["execution"], 2, &["ID"]),
        (&["execution", UNKNOWN], 1, &["no execution", UNKNOWN]),
        (&["remediation", "rr-0"], 1, &["no executions", "rr-0"]),
    ];
    for (args, code, words) in cases {
        refused(&report(&pipeline, args).await?, code, words);
    }

    let letter = Record::new("{}").with_key(UNKNOWN);
    pipeline.servers.kafka.publish(&pipeline.topic, vec![letter]).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await?;
    let place = format!("dlq show {}:0:0", pipeline.topic);
    refused(&report(&pipeline, &["execution", UNKNOWN]).await?, 1, &[UNKNOWN, &place]);
    Ok(())
}

/// Nothing to report is an answer.
#[tokio::test]
async fn nothing_is_an_answer_also_of_a_database_that_cannot_be_written() -> Result<()> {
    let pipeline = Pipeline::shared("nothing", 1).await?;
    let database = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let read_only =
        format!("ALTER DATABASE \"{}\" SET default_transaction_read_only = on", pipeline.database);
    database.batch_execute(&read_only).await?;
    let printed = async |format: &str| {
        report(&pipeline, &["adjustments", "--workflow", "a\u{1b}b", "--format", format]).await
    };
    assert_eq!(printed("json").await?.success()?, "[]\n");
    assert_eq!(printed("csv").await?.success()?, "adjustment_type,reason,frequency\n");
    let table = printed("table").await?;
    assert!(table.stderr.starts_with("none: ") && table.stderr.contains("a\\u{1b}b"), "{table:?}");
    assert_eq!(table.success()?, " ADJUSTMENT_TYPE  REASON  FREQUENCY\n");
    Ok(())
}

#[tokio::test]
async fn an_older_schema_has_no_reports() -> Result<()> {
    let pipeline = Pipeline::shared("older", 1).await?;
    let database = pipeline.servers.postgres.connect(&pipeline.database).await?;
    database.batch_execute("DELETE FROM refinery_schema_history WHERE version > 5").await?;
    let output = report(&pipeline, &["slow-steps"]).await?;
    refused(&output, 1, &["schema version 5", "audit-consumer migrate"]);
    database.batch_execute("DROP TABLE refinery_schema_history").await?;
    let output = report(&pipeline, &["execution", UNKNOWN]).await?;
    refused(&output, 1, &["no audit schema", "audit-consumer migrate"]);
    Ok(())
}

#[tokio::test]
async fn a_report_ends_by_its_timeout_and_with_its_process() -> Result<()> {
    let pipeline = Pipeline::shared("early", 1).await?;
    let mut blocker = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let observer = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let lock = blocker.transaction().await?;
    lock.batch_execute("LOCK TABLE workflow_execution_audit IN ACCESS EXCLUSIVE MODE").await?;

    let output = report(&pipeline, &["slow-steps", "--timeout", "500ms"]).await?;
    refused(&output, 1, &["57014", "--timeout"]);

    let waiting = async || -> Result<i64> {
        let sql = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
        Ok(observer.query_one(sql, &[]).await?.get(0))
    };
    let waits = async |sessions: i64| {
        eventually(PATIENCE, &format!("{sessions} sessions that wait"), async || {
            let now = waiting().await?;
            ensure!(now == sessions, "{now}");
            Ok(())
        })
        .await
    };
    let service = pipeline.command("report").args(["slow-steps"]).quiet().start()?;
    waits(1).await?;
    service.terminate(PATIENCE).await?;
    // The server sees within two seconds that nobody waits for the answer.
    waits(0).await
}
