//! `audit-consumer verify`: proves that the database holds what it must.

use std::io::{self, Write};
use std::path::PathBuf;

use audit_runtime::exit::{ExitCode, UsageError};
use audit_runtime::format::{Format, Rows, print};
use audit_runtime::kafka::KafkaOptions;
use chrono::Utc;
use serde_json::json;

use super::limit::Limit;
use super::moment::Moment;
use crate::database::DatabaseOptions;
use crate::verify::{Report, Selection, Spoken, Task};

/// Options of `verify`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Read the topic again as well, as far as it is stored, and compare each content with its records
    #[arg(long, env = "AUDIT_AGAINST_TOPIC")]
    against_topic: bool,

    /// Read the topic from then on only: a time (RFC 3339), a date (its begin in UTC), or a duration ago
    #[arg(long, env = "AUDIT_SINCE", value_name = "TIME|DATE|DURATION")]
    since: Option<Moment>,

    /// Read the topic only as far as this stream has; without it, as far as any stream has
    #[arg(long, env = "AUDIT_GROUP", value_name = "NAME")]
    group: Option<String>,

    /// Memory for sorting what is compared, in MiB; the rest goes to files
    #[arg(long, env = "AUDIT_MEMORY", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1_048_576), value_name = "MIB")]
    memory: u32,

    /// Where these files are put, without a name, about 80 bytes for each row and record; by default where the
    /// system has its temporary files
    #[arg(long, env = "AUDIT_TEMP_DIR", value_name = "DIR")]
    temp_dir: Option<PathBuf>,

    /// Show at most so many problems, or all; all are counted
    #[arg(long, env = "AUDIT_LIMIT", default_value = "100", value_name = "N|all")]
    limit: Limit,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    kafka: KafkaOptions,
    #[command(flatten)]
    database: DatabaseOptions,
}

/// Prints a line for each problem, and one that says how many there are.
///
/// # Errors
/// The database, the topic or a temporary file cannot be read, or the result cannot be written.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let since = options.since.map(|since| since.at("--since", Utc::now())).transpose()?;
    if since.is_some() && !options.against_topic {
        anyhow::bail!(UsageError("--since is about the topic: add --against-topic".into()));
    }
    let task = Task {
        database: options.database.database_url,
        selection: options.against_topic.then_some(Selection {
            kafka: options.kafka,
            stream: options.group,
            since,
        }),
        memory: usize::try_from(options.memory)? << 20,
        directory: options.temp_dir.unwrap_or_else(std::env::temp_dir),
        limit: options.limit.count(),
    };
    let report = task.run().await?;
    write(&mut io::stdout().lock(), options.format, &report)?;
    let fine = report.findings.total() == 0;
    Ok(if fine { ExitCode::Fine } else { ExitCode::ProblemsFound })
}

fn write(out: &mut impl Write, format: Format, report: &Report) -> anyhow::Result<()> {
    let findings = &report.findings;
    if format == Format::Json {
        serde_json::to_writer_pretty(&mut *out, &object(report))?;
        writeln!(out)?;
        return Ok(());
    }
    if findings.total() > 0 {
        print(out, format, &Rows::of(findings.kept())?)?;
    }
    if format == Format::Table {
        if let Some(spoken) = &report.topic {
            for (partition, first, last) in spoken.area.ranges() {
                writeln!(out, "read {}:{partition}:{first}-{last}", spoken.topic)?;
            }
        }
        writeln!(out, "{}", summary(report))?;
    }
    Ok(())
}

/// The last line.
fn summary(report: &Report) -> String {
    let counted = &report.counted;
    let outside = report.topic.as_ref().filter(|spoken| spoken.outside > 0);
    let looked_at = format!(
        "{} rows, {} in the history, {} dead letters{}",
        counted.rows,
        counted.history,
        report.dead_letters,
        outside.map_or(String::new(), |Spoken { outside, .. }| {
            format!("; {outside} of the contents are of records that were not read")
        })
    );
    match report.findings.total() {
        0 => format!("verified: {looked_at}"),
        1 => format!("found 1 problem: {looked_at}"),
        problems => format!("found {problems} problems: {looked_at}"),
    }
}

fn object(report: &Report) -> serde_json::Value {
    let topic = report.topic.as_ref().map(|spoken| {
        let range = |(partition, first, last)| {
            json!({"partition": partition, "first_offset": first, "last_offset": last})
        };
        json!({
            "name": spoken.topic,
            "read": spoken.area.ranges().map(range).collect::<Vec<_>>(),
            "contents_of_records_not_read": spoken.outside,
        })
    });
    json!({
        "summary": summary(report),
        "problems": report.findings.total(),
        "rows": report.counted.rows,
        "history": report.counted.history,
        "dead_letters": report.dead_letters,
        "topic": topic,
        "findings": report.findings.kept(),
    })
}
