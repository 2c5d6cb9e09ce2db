//! `audit-consumer dlq export`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use audit_runtime::exit::ExitCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt as _;
use serde::Serialize;

use super::filter::Filters;
use super::letter::{self, Letter};
use super::session::{self, failed};
use crate::database::DatabaseOptions;

/// Options of `dlq export`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Resolved ones as well
    #[arg(long, env = "AUDIT_ALL")]
    all: bool,

    /// Where to write; without it to stdout
    #[arg(long, env = "AUDIT_OUTPUT", value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    filters: Filters,

    #[command(flatten)]
    database: DatabaseOptions,
}

/// A dead letter as a line. Bytes are base64 (RFC 4648, with padding).
#[derive(Serialize)]
struct Line<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    record_timestamp: String,
    key_base64: Option<String>,
    value_base64: Option<String>,
    headers: Vec<Header<'a>>,
    code: &'a str,
    error: &'a str,
    first_seen: String,
    last_seen: String,
    attempts: i32,
    resolution: Option<&'a str>,
    resolved_at: Option<String>,
    resolved_by: Option<&'a str>,
    resolution_reason: Option<&'a str>,
    retried_as: Option<&'a str>,
}

#[derive(Serialize)]
struct Header<'a> {
    name: std::borrow::Cow<'a, str>,
    value_base64: Option<String>,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let criteria = options.filters.criteria(options.all)?;
    // One statement, however long the reader of the output takes: all of it is of one moment.
    let url = options.database.database_url.read_only(Duration::ZERO);
    let (_, client) = session::open(&url, 1).await?;
    let mut letters = pin!(letter::read(&client, &criteria).await.map_err(failed("read"))?);
    let mut out: Box<dyn Write> = match &options.output {
        None => Box::new(std::io::stdout().lock()),
        Some(path) => {
            let file = File::create(path);
            Box::new(file.with_context(|| format!("cannot write --output {}", path.display()))?)
        }
    };
    let mut out = BufWriter::new(&mut out);
    let mut count: u64 = 0;
    while let Some(letter) = letters.try_next().await.map_err(failed("read"))? {
        serde_json::to_writer(&mut out, &Line::of(&letter)).context("cannot write the export")?;
        out.write_all(b"\n").context("cannot write the export")?;
        count += 1;
    }
    out.flush().context("cannot write the export")?;
    writeln!(std::io::stderr(), "dead letters exported: {count}")?;
    Ok(ExitCode::Fine)
}

impl<'a> Line<'a> {
    fn of(letter: &'a Letter) -> Self {
        let base64 = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
        let header = |(name, value): &'a (Vec<u8>, _)| Header {
            name: String::from_utf8_lossy(name),
            value_base64: base64(value),
        };
        Self {
            topic: &letter.topic,
            partition: letter.partition,
            offset: letter.offset,
            record_timestamp: letter::time(letter.record_timestamp),
            key_base64: base64(&letter.key),
            value_base64: base64(&letter.value),
            headers: letter.headers.iter().map(header).collect(),
            code: &letter.code,
            error: &letter.error,
            first_seen: letter::time(letter.first_seen),
            last_seen: letter::time(letter.last_seen),
            attempts: letter.attempts,
            resolution: letter.resolution.as_deref(),
            resolved_at: letter.resolved_at.map(letter::time),
            resolved_by: letter.resolved_by.as_deref(),
            resolution_reason: letter.resolution_reason.as_deref(),
            retried_as: letter.retried_as.as_deref(),
        }
    }
}
