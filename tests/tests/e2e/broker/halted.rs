//! What a halted partition looks like from the outside.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{eventually, pipeline::Pipeline, service::Service};

const LIMIT: Duration = Duration::from_secs(180);

/// Waits until the partition is halted for this reason, in metrics, log and database alike.
pub(crate) async fn is_halted(
    pipeline: &Pipeline<'_>,
    consumer: &Service,
    partition: i32,
    reason: &str,
) -> Result<()> {
    let what = format!("partition {partition} to be halted, {reason}");
    eventually(LIMIT, &what, async || {
        let metrics = consumer.metrics().await?;
        let labels = [("partition", partition.to_string()), ("reason", reason.to_owned())];
        let labels = labels.each_ref().map(|(name, value)| (*name, value.as_str()));
        let halted = metrics.sum("kubernaut_audit_partition_halted", &labels);
        ensure!((halted - 1.0).abs() < 0.5, "the metric is {halted}");
        let stored = pipeline.stream(partition).await?.halted.unwrap_or_default();
        ensure!(stored.starts_with(&format!("{reason}: ")), "the database says {stored:?}");
        let logged = consumer.log()?;
        ensure!(
            logged.lines().any(|line| line.contains("partition halted") && line.contains(reason)),
            "the log does not say so"
        );
        Ok(())
    })
    .await
}
