//! `audit-producer topic check`.

use std::io::stdout;

use anyhow::Context;
use audit_runtime::exit::ExitCode;
use audit_runtime::format::{self, Format, Rows};
use audit_runtime::kafka::KafkaOptions;
use audit_schema::topic::required_settings;
use serde::Serialize;

use super::cluster::{Cluster, Topic};

/// Options of `audit-producer topic check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
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
    format::print(&mut stdout().lock(), format, &Rows::of(rows)?)
        .context("cannot write the result")?;
    Ok(if rows.iter().all(|row| row.ok) { ExitCode::Fine } else { ExitCode::ProblemsFound })
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
}
