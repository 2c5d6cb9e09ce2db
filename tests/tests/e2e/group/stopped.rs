//! Consumers that end in the orderly way.

use anyhow::Result;
use audit_tests::{generator::Generator, load::publish_during, pipeline::Pipeline};
use chrono::Utc;

use super::protocol::Protocol;

const SEED: u64 = 0x0A0D_0103;

#[tokio::test]
async fn the_next_consumer_goes_on_after_sigterm_under_load() -> Result<()> {
    relay(Protocol::Classic).await
}

#[tokio::test]
async fn the_next_consumer_goes_on_after_sigterm_under_load_by_the_new_protocol() -> Result<()> {
    relay(Protocol::Consumer).await
}

async fn relay(protocol: Protocol) -> Result<()> {
    let pipeline = Pipeline::shared("stopped", 3).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let relay = async {
        for runner in 1..=4 {
            let consumer = protocol.consumer(&pipeline).env("AUDIT_BATCH_SIZE", "20");
            let consumer = consumer.start_ready().await?;
            pipeline.reaches(runner * 150).await?;
            pipeline.stop(&consumer).await?;
        }
        Ok(())
    };
    publish_during(&pipeline, &mut generator, relay).await?;
    let last = protocol.consumer(&pipeline).start_ready().await?;
    pipeline.verify().await?;
    pipeline.stop(&last).await
}
