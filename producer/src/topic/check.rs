//! `audit-producer topic check`.

use std::io::Write;

use anyhow::Context;
use audit_runtime::exit::ExitCode;
use audit_runtime::format::Format;
use audit_runtime::kafka::KafkaOptions;
use audit_schema::topic::required_settings;
use serde::Serialize;

use super::cluster::{Cluster, Topic};

/// Options of `audit-producer topic check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", default_value = "table", value_name = "FORMAT")]
    format: Format,

    #[command(flatten)]
    kafka: KafkaOptions,
}

/// One thing about the topic, as it has to be and as it is.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    setting: &'static str,
    wanted: String,
    actual: String,
    ok: bool,
}

pub(super) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let name = &options.kafka.topic;
    let cluster = Cluster::new(&options.kafka)?;
    let topic = cluster.describe(name).await?.ok_or_else(|| cluster.no_such_topic(name))?;
    report(&compare(&topic), options.format)
}

/// What has to hold for a topic with so many replicas.
pub(super) fn compare(topic: &Topic) -> Vec<Row> {
    let rows = required_settings(topic.replicas).into_iter().map(|setting| {
        let actual = topic.settings.get(setting.name).cloned().unwrap_or_default();
        let (wanted, ok) = (setting.wanted(), setting.is_met_by(&actual));
        Row { setting: setting.name, wanted, actual, ok }
    });
    rows.collect()
}

/// A row for a number that was asked for.
pub(super) fn exactly(setting: &'static str, wanted: usize, actual: usize) -> Row {
    Row { setting, wanted: wanted.to_string(), actual: actual.to_string(), ok: wanted == actual }
}

/// Prints the rows; a difference is a problem found.
pub(super) fn report(rows: &[Row], format: Format) -> anyhow::Result<ExitCode> {
    let text = match format {
        Format::Table => table(rows),
        Format::Json => serde_json::to_string_pretty(rows)? + "\n",
        Format::Csv => csv(rows),
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write the result")?;
    Ok(if rows.iter().all(|row| row.ok) { ExitCode::Fine } else { ExitCode::ProblemsFound })
}

fn table(rows: &[Row]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(["SETTING", "WANTED", "ACTUAL", ""]);
    for row in rows {
        table.add_row([
            row.setting,
            &row.wanted,
            &row.actual,
            if row.ok { "ok" } else { "DIFFERS" },
        ]);
    }
    table.trim_fmt() + "\n"
}

fn csv(rows: &[Row]) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let lines = rows.iter().map(|row| {
        format!("{},{},{},{}\n", row.setting, quote(&row.wanted), quote(&row.actual), row.ok)
    });
    std::iter::once("setting,wanted,actual,ok\n".to_owned()).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(replicas: usize, min_insync: &str) -> Topic {
        let mut settings: std::collections::HashMap<_, _> = required_settings(replicas)
            .into_iter()
            .map(|setting| (setting.name.to_owned(), setting.value.to_owned()))
            .collect();
        settings.insert("min.insync.replicas".to_owned(), min_insync.to_owned());
        Topic { partitions: 12, replicas, settings }
    }

    #[test]
    fn what_differs_is_a_problem() {
        let rows = compare(&topic(3, "1"));
        let different: Vec<_> = rows.iter().filter(|row| !row.ok).collect();
        assert_eq!(different.len(), 1);
        assert_eq!(
            (different[0].setting, different[0].actual.as_str()),
            ("min.insync.replicas", "1")
        );
        assert_eq!(report(&rows, Format::Json).unwrap(), ExitCode::ProblemsFound);
        assert_eq!(report(&compare(&topic(3, "2")), Format::Csv).unwrap(), ExitCode::Fine);
        assert_eq!(report(&compare(&topic(1, "1")), Format::Table).unwrap(), ExitCode::Fine);
    }

    #[test]
    fn a_setting_the_cluster_does_not_tell_is_a_problem() {
        let mut silent = topic(3, "2");
        silent.settings.remove("cleanup.policy");
        assert!(compare(&silent).iter().any(|row| row.setting == "cleanup.policy" && !row.ok));
    }

    #[test]
    fn csv_keeps_values_with_commas_together() {
        let row = Row {
            setting: "cleanup.policy",
            wanted: "delete".into(),
            actual: "compact,delete".into(),
            ok: false,
        };
        assert_eq!(
            csv(&[row]).lines().nth(1),
            Some(r#"cleanup.policy,"delete","compact,delete",false"#)
        );
    }
}
