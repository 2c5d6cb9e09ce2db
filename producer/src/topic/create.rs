//! `audit-producer topic create`.

use std::io::Write;

use anyhow::{Context, bail};
use audit_runtime::exit::ExitCode;
use audit_runtime::format::Format;
use audit_runtime::kafka::KafkaOptions;
use audit_schema::topic::required_settings;

use super::check;
use super::cluster::Cluster;

/// Options of `audit-producer topic create`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many partitions; as many consumers can share the work
    #[arg(long, env = "AUDIT_PARTITIONS", default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=10_000), value_name = "N")]
    partitions: u16,

    /// On how many brokers each event is kept; with three or more, two must have it before it is acknowledged
    #[arg(long, env = "AUDIT_REPLICATION_FACTOR", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100), value_name = "N")]
    replication_factor: u16,

    #[command(flatten)]
    kafka: KafkaOptions,
}

pub(super) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let name = &options.kafka.topic;
    let cluster = Cluster::new(&options.kafka)?;
    if cluster.describe(name).await?.is_none() {
        let settings = required_settings(options.replication_factor.into());
        let replicas = options.replication_factor.into();
        if cluster.create(name, options.partitions.into(), replicas, &settings).await? {
            let (partitions, replicas) = (options.partitions, options.replication_factor);
            writeln!(
                std::io::stdout(),
                "created {name}: {partitions} partitions, replication factor {replicas}"
            )
            .context("cannot write the result")?;
            return Ok(ExitCode::Fine);
        }
    }
    // It was there, or somebody else made it just now.
    let Some(topic) = cluster.describe(name).await? else {
        bail!("topic {name} was deleted while it was looked at");
    };
    tracing::info!(topic = name, "the topic is there already; nothing is changed");
    let mut rows = vec![
        check::exactly("partitions", options.partitions.into(), topic.partitions),
        check::exactly("replication.factor", options.replication_factor.into(), topic.replicas),
    ];
    rows.extend(check::compare(&topic));
    check::report(&rows, Format::Table)
}
