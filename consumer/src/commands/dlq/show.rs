//! `audit-consumer dlq show`.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::bail;
use audit_runtime::exit::ExitCode;
use audit_runtime::format::Format;
use audit_schema::decode::Decoder;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};

use super::excerpt::{excerpt, readable};
use super::filter::Criteria;
use super::letter::{self, Letter};
use super::session::{self, failed};
use crate::batch;
use crate::commands::place::Place;
use crate::database::DatabaseOptions;

/// Options of `dlq show`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Which one, as `dlq list` names it
    #[arg(value_name = "TOPIC:PARTITION:OFFSET")]
    place: Place,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    database: DatabaseOptions,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (_, client) = session::open(&options.database.database_url, 1).await?;
    let criteria = Criteria::at(std::slice::from_ref(&options.place));
    let letters = letter::read(&client, &criteria).await.map_err(failed("read"))?;
    let letters: Vec<Letter> = letters.try_collect().await.map_err(failed("read"))?;
    if letters.is_empty() {
        bail!(
            "no dead letter at {}; `audit-consumer dlq list --all` shows those there are",
            options.place
        );
    }
    let mut out = std::io::stdout().lock();
    for letter in &letters {
        let problems = problems(letter);
        if options.format == Format::Json {
            serde_json::to_writer_pretty(&mut out, &document(letter, &problems))?;
            writeln!(out)?;
        } else {
            write!(out, "{}", page(letter, &problems))?;
        }
    }
    Ok(ExitCode::Fine)
}

/// What is wrong with the record by the rules of this version.
struct Problem {
    code: &'static str,
    path: String,
    message: String,
    /// The byte of the value; none if it is not about the value's bytes.
    byte: Option<usize>,
}

/// Empty if this version finds nothing wrong: then another one did, or the database.
fn problems(letter: &Letter) -> Vec<Problem> {
    let record = letter.record();
    let Err(rejection) = batch::identify(&mut Decoder::default(), record.record(0)).map(drop)
    else {
        return Vec::new();
    };
    let value = letter.value.as_deref().unwrap_or_default();
    let is_of_value = Decoder::default().decode(value).is_err_and(|found| found == rejection);
    let problem = |found: audit_schema::problem::Problem| Problem {
        code: found.code.as_str(),
        path: found.path,
        message: found.message,
        byte: is_of_value.then_some(found.offset),
    };
    rejection.problems.into_iter().map(problem).collect()
}

fn document(letter: &Letter, problems: &[Problem]) -> Value {
    let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(readable);
    let headers: Vec<Value> = letter
        .headers
        .iter()
        .map(|(name, value)| json!({"name": readable(name), "value": text(value)}))
        .collect();
    let problems: Vec<Value> = problems
        .iter()
        .map(|problem| {
            json!({
                "code": problem.code, "path": problem.path, "message": problem.message,
                "byte": problem.byte,
            })
        })
        .collect();
    json!({
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "record_timestamp": letter::time(letter.record_timestamp),
        "code": letter.code,
        "error": letter.error,
        "first_seen": letter::time(letter.first_seen),
        "last_seen": letter::time(letter.last_seen),
        "attempts": letter.attempts,
        "resolution": letter.resolution,
        "resolved_at": letter.resolved_at.map(letter::time),
        "resolved_by": letter.resolved_by,
        "resolution_reason": letter.resolution_reason,
        "retried_as": letter.retried_as,
        "key": text(&letter.key),
        "headers": headers,
        "value": text(&letter.value),
        "value_base64": letter.value.as_ref().map(|value| STANDARD.encode(value)),
        "value_bytes": letter.value.as_ref().map(Vec::len),
        "problems": problems,
    })
}

fn page(letter: &Letter, problems: &[Problem]) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    for (name, field) in document(letter, &[]).as_object().into_iter().flatten() {
        let text = match (name.as_str(), field) {
            ("value_base64" | "problems", _) => continue,
            ("value_bytes", Value::Null) => "none (tombstone)".to_owned(),
            (_, Value::Null) => continue,
            (_, Value::String(text)) => text.clone(),
            (_, Value::Array(headers)) => headers
                .iter()
                .map(|header| {
                    let part = |key: &str| header[key].as_str().unwrap_or("(null)").to_owned();
                    format!("\n  {}: {}", part("name"), part("value"))
                })
                .collect(),
            (_, other) => other.to_string(),
        };
        let _ = writeln!(page, "{name}: {text}");
    }
    for problem in problems {
        let path = if problem.path.is_empty() { "" } else { ": " };
        let _ = write!(page, "\n{}: {}{path}{}", problem.code, problem.path, problem.message);
        let _ = match (problem.byte, &letter.value) {
            (Some(byte), Some(value)) => {
                writeln!(page, " (byte {byte})\n{}", excerpt(value, byte))
            }
            _ => writeln!(page),
        };
    }
    if problems.is_empty() && letter.resolution.is_none() {
        let _ = writeln!(
            page,
            "\nthis version finds nothing wrong with it: try `audit-consumer dlq retry`"
        );
    }
    page
}
