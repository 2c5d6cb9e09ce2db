//! The two protocols by which a group shares a topic out.

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    binary::Binary,
    kafka::KafkaCluster,
    pipeline::{Pipeline, Servers},
    shared,
};

/// How the members of a group agree.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    /// The members do, cooperatively.
    Classic,
    /// The brokers do (KIP-848); they also set the session timeout: 3 s on the test's nodes.
    Consumer,
}

impl Protocol {
    /// A consumer whose session times out after 3 s.
    pub(crate) fn consumer(self, pipeline: &Pipeline<'_>) -> Binary {
        let properties = match self {
            Self::Classic => "session.timeout.ms=3000,heartbeat.interval.ms=500",
            Self::Consumer => "group.protocol=consumer",
        };
        pipeline.consumer().env("AUDIT_KAFKA_PROPERTIES", properties)
    }
}

/// librdkafka alone would look for another coordinator for ever, and say nothing.
#[tokio::test]
async fn brokers_without_the_new_protocol_are_named() -> Result<()> {
    let kafka =
        KafkaCluster::start_with(1, &[("group.coordinator.rebalance.protocols", "classic")])
            .await?;
    let servers = Servers { kafka: &kafka, postgres: shared::postgres().await? };
    let pipeline = Pipeline::on(servers, "old_brokers", 1).await?;
    // Whether it is ready before it ends does not matter.
    let consumer = Protocol::Consumer.consumer(&pipeline).start()?;
    let status = consumer.wait(Duration::from_secs(180)).await?;
    ensure!(status.code() == Some(1), "{status}");
    let log = consumer.log()?;
    ensure!(log.contains("error: the brokers do not support group.protocol=consumer"), "{log}");
    Ok(())
}
