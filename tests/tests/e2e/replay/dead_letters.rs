//! Records that could not be stored when they came.

use anyhow::Result;
use audit_tests::{generator::Generator, load::mixture, pipeline::Pipeline};
use chrono::Utc;

use super::{finished, replay};
use crate::{
    database::PATIENCE,
    dlq::{ACCEPTING, REFUSING, count},
    verify::Verdict,
};

const SEED: u64 = 0x0A0D_0605;

/// Dead letters of records that can be stored now are resolved, those that cannot stay open.
#[tokio::test]
async fn records_that_can_be_stored_after_all_are() -> Result<()> {
    let pipeline = Pipeline::shared("replay_letters", 2).await?;
    let client = pipeline.servers.postgres.connect(&pipeline.database).await?;
    client.batch_execute(REFUSING).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    pipeline.servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 100)).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    pipeline.stop(&consumer).await?;
    let refused = count(&client, "error_code = 'database_rejected' AND resolution IS NULL").await?;
    let poison = count(&client, "error_code <> 'database_rejected'").await?;
    assert!(refused >= 100 && poison > 0, "{refused}, {poison}");

    client.batch_execute(ACCEPTING).await?;
    let row = finished(replay(&pipeline).args(["--name", "again"])).await?;
    let summary = pipeline.oracle().verify_beside(&["replay-again"], PATIENCE).await?;
    assert_eq!(row["stored"], summary.ids, "{row}");
    Verdict::of_topic(&pipeline).await?.is_clean()?;
    let resolved =
        "error_code = 'database_rejected' AND resolution = 'stored' AND resolved_at IS NOT NULL";
    assert_eq!(count(&client, resolved).await?, refused);
    assert_eq!(count(&client, "resolution IS NULL AND attempts = 2").await?, poison);
    Ok(())
}
