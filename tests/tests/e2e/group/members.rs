//! Members join and leave.

use anyhow::Result;
use audit_tests::{generator::Generator, load::publish_during, pipeline::Pipeline};
use chrono::Utc;

use super::protocol::Protocol;

const SEED: u64 = 0x0A0D_0101;

#[tokio::test]
async fn three_consumers_join_and_leave_under_load() -> Result<()> {
    join_and_leave(Protocol::Classic).await
}

#[tokio::test]
async fn three_consumers_join_and_leave_under_load_by_the_new_protocol() -> Result<()> {
    join_and_leave(Protocol::Consumer).await
}

/// After each change somebody owns every partition, and each record is stored once.
async fn join_and_leave(protocol: Protocol) -> Result<()> {
    let pipeline = Pipeline::shared("members", 6).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let changes = async {
        let first = protocol.consumer(&pipeline).start_ready().await?;
        pipeline.owned_by(&[&first]).await?;
        let second = protocol.consumer(&pipeline).start_ready().await?;
        pipeline.owned_by(&[&first, &second]).await?;
        let third = protocol.consumer(&pipeline).start_ready().await?;
        pipeline.owned_by(&[&first, &second, &third]).await?;
        pipeline.stop(&first).await?;
        pipeline.owned_by(&[&second, &third]).await?;
        pipeline.stop(&third).await?;
        pipeline.owned_by(&[&second]).await?;
        Ok(second)
    };
    let (_, last) = publish_during(&pipeline, &mut generator, changes).await?;
    pipeline.verify().await?;
    pipeline.stop(&last).await
}
