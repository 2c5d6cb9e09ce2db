//! How far the stream is: halts, consumers that look at it, open dead letters.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use tokio_postgres::Client;

use super::finding::Finding;
use crate::streams::{self, Stream};

/// A consumer looks at the ends of its partitions every few seconds, so after a minute there is none.
const UNSEEN: TimeDelta = TimeDelta::minutes(1);
const BEHIND: TimeDelta = TimeDelta::minutes(10);

pub(super) async fn check(client: &Client, stream: &str, topic: &str) -> Vec<Finding> {
    let mut findings = match streams::streams(client).await {
        Ok((now, all)) => {
            match all.iter().find(|found| found.stream == stream && found.topic == topic) {
                Some(found) => [vec![progress(found, now)], halted(found)].concat(),
                None => vec![Finding::good("stream", format!("{stream} has not been read yet"))],
            }
        }
        Err(error) => vec![Finding::unanswered("stream", &error)],
    };
    findings.push(dead_letters(client, topic).await);
    findings
}

fn progress(found: &Stream, now: DateTime<Utc>) -> Finding {
    let is_older =
        |time: Option<DateTime<Utc>>, age| time.map(|time| now.signed_duration_since(time) > age);
    if is_older(found.lag_as_of, UNSEEN) != Some(false) {
        let (stream, seen) = (&found.stream, written(found.lag_as_of));
        let found =
            format!("no consumer of {stream} has looked at all of its partitions since {seen}");
        return Finding::warning("stream", found, "start `audit-consumer run`, or look at its log");
    }
    let lag = found.lag.unwrap_or_default();
    let is_late = lag > 0 && is_older(found.complete_up_to, BEHIND) == Some(true);
    let found = format!("complete up to {}, {lag} records behind", written(found.complete_up_to));
    if is_late {
        let advice = "look at the consumers' logs; more of them share the work, up to one for each partition";
        return Finding::warning("stream", found, advice);
    }
    Finding::good("stream", found)
}

fn written(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(|| "unknown".into(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn halted(found: &Stream) -> Vec<Finding> {
    let line = |partition: &streams::Partition| {
        let why = partition.halted.as_ref()?;
        let check = format!("halted partition {}", partition.partition);
        Some(Finding::told(check, why, "docs/operations.md says what each reason to halt asks for"))
    };
    let lines: Vec<Finding> = found.partitions.iter().filter_map(line).collect();
    if lines.is_empty() { vec![Finding::good("halted partitions", "none")] } else { lines }
}

async fn dead_letters(client: &Client, topic: &str) -> Finding {
    let letters = match streams::open_dead_letters(client).await {
        Ok(letters) => letters,
        Err(error) => return Finding::unanswered("dead letters", &error),
    };
    match letters.iter().find(|letters| letters.topic == topic) {
        None => Finding::good("dead letters", "none open"),
        Some(letters) => Finding::warning(
            "dead letters",
            format!("{} open", letters.open),
            "look at them with `audit-consumer dlq list`",
        ),
    }
}
