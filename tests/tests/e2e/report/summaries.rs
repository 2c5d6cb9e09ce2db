//! The five summaries against the recomputation, in every format, and against the views.

use anyhow::{Context, Result};
use audit_tests::pipeline::Pipeline;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::Value;

use super::{
    model::{Execution, TWINS, WORKFLOWS},
    recompute::{SUMMARIES, Summary},
    report,
};

const SEED: u64 = 0x0A0D_2001;
const EXECUTIONS: usize = 3_000;
const DAYS: i64 = 100;

/// What is stored, and around when.
struct Stored {
    executions: Vec<Execution>,
    now: i64,
}

impl Stored {
    fn between(&self, since: i64, until: i64, workflow: Option<&str>) -> Vec<&Execution> {
        let counts = |one: &&Execution| {
            (since..until).contains(&one.created_at)
                && workflow.is_none_or(|workflow| workflow == one.workflow)
        };
        self.executions.iter().filter(counts).collect()
    }
}

/// Executions of the last hundred days and a few of the next two; some at the bounds of windows, some said in
/// several ways of which the last counts. None is so near the default bounds that the time of the test matters.
async fn stored(pipeline: &Pipeline<'_>) -> Result<Stored> {
    let mut random = Rng::with_seed(SEED);
    let now = Utc::now().timestamp_micros() / 1_000_000 * 1_000_000;
    let hour = TimeDelta::hours(1).num_microseconds().context("an hour")?;
    let near_a_default =
        |time: i64| [7, 30].iter().any(|days| (now - days * 24 * hour - time).abs() < hour);
    let mut executions = Vec::new();
    while executions.len() < EXECUTIONS {
        let created_at = now + random.i64(-DAYS * 24 * hour..2 * 24 * hour);
        let whole = if random.bool() { created_at / 1000 * 1000 } else { created_at };
        if !near_a_default(whole) {
            executions.push(Execution::random(&mut random, whole));
        }
    }
    for (days, micros) in [(60, -1), (60, 0), (20, -1), (20, 0), (20, 1)] {
        let created_at = now - days * 24 * hour + micros;
        executions.extend((0..5).map(|_| Execution::random(&mut random, created_at)));
    }
    let mut originals: Vec<_> = executions[..200].to_vec();
    for name in TWINS {
        executions.extend(originals.iter().map(|one| one.twin(&mut random, name)));
        random.shuffle(&mut originals);
    }
    let mut records = Vec::new();
    for one in &executions {
        if random.u8(..10) == 0 {
            let other = Execution::random(&mut random, one.created_at);
            records.push(Execution { id: one.id, ..other }.record());
        }
        records.push(one.record());
    }
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    let summary = pipeline.verify().await?;
    assert_eq!((summary.ids, summary.dead_letters), (executions.len(), 0));
    pipeline.stop(&consumer).await?;
    Ok(Stored { executions, now })
}

#[tokio::test]
async fn they_agree_with_a_recomputation_and_with_the_views() -> Result<()> {
    let pipeline = Pipeline::shared("summaries", 3).await?;
    let stored = stored(&pipeline).await?;
    for summary in &SUMMARIES {
        windows(&pipeline, &stored, summary).await?;
        defaults(&pipeline, &stored, summary).await?;
    }
    Ok(())
}

/// Windows to the microsecond, workflows, limits.
async fn windows(pipeline: &Pipeline<'_>, stored: &Stored, summary: &Summary) -> Result<()> {
    let day = TimeDelta::days(1).num_microseconds().context("a day")?;
    let [sixty, twenty] = [60, 20].map(|days| stored.now - days * day);
    for (since, until) in [
        (sixty, twenty),
        (sixty - 1, twenty + 1),
        (sixty + 1, twenty + 2),
        (0, i64::MAX),
        (stored.now + 30 * day, i64::MAX),
    ] {
        for limit in [None, Some(7)] {
            window(pipeline, stored, summary, (since, until), None, limit).await?;
        }
    }
    for workflow in [WORKFLOWS[0], WORKFLOWS[3], WORKFLOWS[4], "", "no such"] {
        window(pipeline, stored, summary, (sixty, twenty), Some(workflow), None).await?;
    }
    Ok(())
}

async fn window(
    pipeline: &Pipeline<'_>,
    stored: &Stored,
    summary: &Summary,
    (since, until): (i64, i64),
    workflow: Option<&str>,
    limit: Option<usize>,
) -> Result<()> {
    let mut args = vec!["--since".to_owned(), written(since)];
    if until < i64::MAX {
        args.extend(["--until".to_owned(), written(until)]);
    }
    args.extend(workflow.map(|name| format!("--workflow={name}")));
    args.push(limit.map_or("--limit=all".to_owned(), |limit| format!("--limit={limit}")));
    let mut expected = (summary.rows)(&stored.between(since, until, workflow));
    expected.truncate(limit.unwrap_or(usize::MAX));
    check(pipeline, summary, &args, &expected).await
}

/// Without options: the windows and limits of the views, and their rows.
async fn defaults(pipeline: &Pipeline<'_>, stored: &Stored, summary: &Summary) -> Result<()> {
    let day = TimeDelta::days(1).num_microseconds().context("a day")?;
    let since = stored.now - summary.days * day;
    let mut expected = (summary.rows)(&stored.between(since, i64::MAX, None));
    expected.truncate(summary.limit.unwrap_or(usize::MAX));
    assert!(!expected.is_empty());
    check(pipeline, summary, &[], &expected).await?;

    let database = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let columns = summary.columns.join(", ");
    let sql = format!("SELECT to_jsonb(v) FROM (SELECT {columns} FROM {}) v", summary.view);
    let view: Vec<Value> = database.query(&sql, &[]).await?.iter().map(|row| row.get(0)).collect();
    same_rows(summary, &view, &expected, summary.view);

    let output = report(pipeline, &[summary.name]).await?;
    assert!(output.stdout.chars().all(|c| c == '\n' || !c.is_control()), "{}", output.stdout);
    assert_eq!(output.stdout.lines().count(), 1 + expected.len(), "{}", output.stdout);
    assert!(output.stderr.starts_with("executions created since "), "{}", output.stderr);
    Ok(())
}

/// Compares what is printed as JSON and as CSV.
async fn check(
    pipeline: &Pipeline<'_>,
    summary: &Summary,
    args: &[String],
    expected: &[Vec<Value>],
) -> Result<()> {
    let what = format!("seed {SEED:#x}: {} {args:?}", summary.name);
    let rows = json(pipeline, summary, args).await?;
    let rows = rows.as_array().context("an array")?;
    same_rows(summary, rows, expected, &what);
    for row in rows {
        assert!(row.as_object().context("an object")?.keys().eq(summary.columns), "{what}: {row}");
    }

    let text = printed(pipeline, summary, args, "csv").await?;
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    assert!(csv.headers()?.iter().eq(summary.columns.iter().copied()), "{what}: {text}");
    let records = csv.records().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(records.len(), rows.len(), "{what}");
    for (record, row) in records.iter().zip(rows) {
        let row = row.as_object().context("an object")?;
        for (field, value) in record.iter().zip(row.values()) {
            let expected = match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(field, expected, "{what}");
        }
    }
    Ok(())
}

async fn json(pipeline: &Pipeline<'_>, summary: &Summary, args: &[String]) -> Result<Value> {
    Ok(serde_json::from_str(&printed(pipeline, summary, args, "json").await?)?)
}

async fn printed(
    pipeline: &Pipeline<'_>,
    summary: &Summary,
    args: &[String],
    format: &str,
) -> Result<String> {
    let mut all = vec![summary.name, "--format", format];
    all.extend(args.iter().map(String::as_str));
    report(pipeline, &all).await?.success()
}

#[track_caller]
fn same_rows(summary: &Summary, rows: &[Value], expected: &[Vec<Value>], what: &str) {
    assert_eq!(rows.len(), expected.len(), "{what}: {rows:#?}\n{expected:#?}");
    for (row, expected) in rows.iter().zip(expected) {
        for (column, expected) in summary.columns.iter().zip(expected) {
            assert!(same(&row[column], expected), "{what}: {row}, expected {column} {expected}");
        }
    }
}

/// Numbers may differ in their last digits: the database rounds decimals, the recomputation fractions.
fn same(value: &Value, expected: &Value) -> bool {
    match (value.as_f64(), expected.as_f64()) {
        (Some(value), Some(expected)) => (value - expected).abs() <= 1e-12 * expected.abs(),
        _ => value == expected,
    }
}

fn written(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    // Any offset will do.
    let zone = chrono::FixedOffset::west_opt(5 * 3600 + 1800).expect("hours of a day");
    time.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Micros, true)
}
