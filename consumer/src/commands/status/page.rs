//! A look as people read it. What matters most stands below, where a small terminal still shows it.

use std::fmt::Write;

use audit_runtime::format::{Rows, one_line, table};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::look::Look;
use crate::streams::{DeadLetters, Partition, Stream};

/// Codes of dead letters that are told one by one.
const CODES: usize = 3;

/// A line of the table.
#[derive(Serialize)]
struct Line<'a> {
    partition: i32,
    lag: Option<i64>,
    complete_up_to: Option<String>,
    next_offset: Option<i64>,
    owner: Option<&'a str>,
    last_batch: Option<String>,
    records: Option<i64>,
    #[serde(rename = "records/s")]
    rate: f64,
    halted: Option<&'a str>,
}

pub(super) fn of(look: &Look) -> anyhow::Result<String> {
    let mut page = format!("{}, rates over {:.0} s\n", written(look.at), look.rate_seconds);
    for stream in &look.streams {
        add(&mut page, stream)?;
    }
    if look.streams.is_empty() {
        page.push_str("\nno stream has been read yet: start `audit-consumer run`\n");
    }
    page.push('\n');
    for letters in &look.dead_letters {
        writeln!(page, "{}", dead_letters(letters))?;
    }
    if look.dead_letters.is_empty() {
        page.push_str("no open dead letters\n");
    }
    writeln!(page, "partitions for {} months ahead", look.months_ahead)?;
    if let Some(trouble) = &look.brokers_error {
        writeln!(page, "lag as of the consumers' last look: {}", one_line(trouble))?;
    }
    Ok(page)
}

fn add(page: &mut String, stream: &Stream) -> anyhow::Result<()> {
    let lines: Vec<Line<'_>> = stream.partitions.iter().map(line).collect();
    let (name, topic) = (one_line(&stream.stream), one_line(&stream.topic));
    writeln!(page, "\n{name}, reading {topic}")?;
    page.push_str(&table(&Rows::of(&lines)?));
    let complete = stream.complete_up_to.map_or_else(|| "an unknown time".to_owned(), written);
    let lag = stream.lag.map_or_else(|| "unknown".to_owned(), |lag| format!("{lag} records"));
    let rate = stream.records_per_second;
    writeln!(page, "complete up to {complete}, lag {lag}, {rate:.1} records/s")?;
    for partition in &stream.partitions {
        if let Some(why) = &partition.halted {
            writeln!(page, "partition {} is halted, {}", partition.partition, one_line(why))?;
        }
    }
    Ok(())
}

fn line(partition: &Partition) -> Line<'_> {
    let batch = partition.last_batch.as_ref();
    let halted = partition.halted.as_deref();
    Line {
        partition: partition.partition,
        lag: partition.lag,
        complete_up_to: partition.complete_up_to.map(written),
        next_offset: partition.next_offset,
        owner: partition.owner.as_deref(),
        last_batch: batch.map(|batch| written(batch.updated_at)),
        records: batch.map(|batch| batch.records),
        rate: partition.records_per_second,
        halted: halted.map(|why| why.split_once(": ").map_or(why, |(reason, _)| reason)),
    }
}

fn dead_letters(letters: &DeadLetters) -> String {
    let mut codes: Vec<String> = letters
        .codes
        .iter()
        .take(CODES)
        .map(|of_code| format!("{} {}", of_code.open, one_line(&of_code.code)))
        .collect();
    if letters.codes.len() > CODES {
        codes.push(format!("{} more codes", letters.codes.len() - CODES));
    }
    let (open, topic, codes) = (letters.open, one_line(&letters.topic), codes.join(", "));
    format!("{open} open dead letters of {topic}: {codes}")
}

fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
