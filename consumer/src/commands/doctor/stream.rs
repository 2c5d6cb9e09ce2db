//! How far the stream is: halts, consumers that look at it, open dead letters.

use chrono::{DateTime, SecondsFormat, Utc};
use tokio_postgres::Client;

use super::finding::Finding;

/// A consumer looks at the ends of its partitions every few seconds, so after a minute there is none.
const STREAM: &str = "\
SELECT complete_up_to, lag, seen_at, seen_at < clock_timestamp() - interval '1 minute',
    complete_up_to < clock_timestamp() - interval '10 minutes'
FROM audit_completeness WHERE stream = $1 AND topic = $2 AND partition IS NULL";
const HALTED: &str = "\
SELECT partition, halted FROM audit_stream
WHERE stream = $1 AND topic = $2 AND halted IS NOT NULL ORDER BY partition";
const DEAD_LETTERS: &str =
    "SELECT count(*) FROM audit_dead_letter WHERE topic = $1 AND resolution IS NULL";

pub(super) async fn check(client: &Client, stream: &str, topic: &str) -> Vec<Finding> {
    let mut findings = vec![progress(client, stream, topic).await];
    findings.extend(halted(client, stream, topic).await);
    findings.push(dead_letters(client, topic).await);
    findings
}

async fn progress(client: &Client, stream: &str, topic: &str) -> Finding {
    let row = match client.query_opt(STREAM, &[&stream, &topic]).await {
        Ok(Some(row)) => row,
        Ok(None) => return Finding::good("stream", format!("{stream} has not been read yet")),
        Err(error) => return Finding::unanswered("stream", &error),
    };
    let time = |column: usize| {
        let time = row.get::<_, Option<DateTime<Utc>>>(column);
        time.map_or_else(
            || "unknown".into(),
            |time| time.to_rfc3339_opts(SecondsFormat::Secs, true),
        )
    };
    let lag = row.get::<_, Option<i64>>(1).unwrap_or_default();
    if row.get::<_, Option<bool>>(3) != Some(false) {
        let found = format!(
            "no consumer of {stream} has looked at all of its partitions since {}",
            time(2)
        );
        return Finding::warning("stream", found, "start `audit-consumer run`, or look at its log");
    }
    let found = format!("complete up to {}, {lag} records behind", time(0));
    if lag > 0 && row.get::<_, Option<bool>>(4) == Some(true) {
        let advice = "look at the consumers' logs; more of them share the work, up to one for each partition";
        return Finding::warning("stream", found, advice);
    }
    Finding::good("stream", found)
}

async fn halted(client: &Client, stream: &str, topic: &str) -> Vec<Finding> {
    match client.query(HALTED, &[&stream, &topic]).await {
        Ok(rows) if rows.is_empty() => vec![Finding::good("halted partitions", "none")],
        Ok(rows) => rows
            .iter()
            .map(|row| {
                let check = format!("halted partition {}", row.get::<_, i32>(0));
                Finding::told(check, row.get(1), "README.md says what each reason to halt asks for")
            })
            .collect(),
        Err(error) => vec![Finding::unanswered("halted partitions", &error)],
    }
}

async fn dead_letters(client: &Client, topic: &str) -> Finding {
    match client.query_one(DEAD_LETTERS, &[&topic]).await.map(|row| row.get::<_, i64>(0)) {
        Ok(0) => Finding::good("dead letters", "none open"),
        Ok(open) => Finding::warning(
            "dead letters",
            format!("{open} open"),
            "look at them with `audit-consumer dlq list`",
        ),
        Err(error) => Finding::unanswered("dead letters", &error),
    }
}
