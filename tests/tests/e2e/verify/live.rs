//! While streams go on writing.

use anyhow::{Context, Result, ensure};
use audit_tests::{generator::Generator, load::publish_during, pipeline::Pipeline};
use chrono::Utc;

use super::{PARTITIONS, Verdict};
use crate::database::PATIENCE;

const SEED: u64 = 0x0A0D_1161;

/// Two streams race for the same records in small batches; each look speaks of what was stored by then.
#[tokio::test]
async fn no_false_alarms_under_load() -> Result<()> {
    let pipeline = Pipeline::shared("underload", PARTITIONS).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let other = format!("{}_other", pipeline.group);
    let mut consumers = Vec::new();
    for group in [&pipeline.group, &other] {
        let binary = pipeline.consumer().env("AUDIT_GROUP", group).env("AUDIT_BATCH_SIZE", "20");
        consumers.push(binary.start_ready().await?);
    }
    let looking = async {
        pipeline.reaches(100).await?;
        let mut spoken_of = Vec::new();
        for round in 0..8 {
            let verdict = Verdict::of_topic(&pipeline).await?;
            verdict.is_clean().with_context(|| format!("round {round}"))?;
            ensure!(verdict.outside() == Some(0), "{verdict:#?}");
            spoken_of.push(verdict.report["rows"].as_i64());
        }
        Ok(spoken_of)
    };
    let (_, spoken_of) = publish_during(&pipeline, &mut generator, looking).await?;
    assert!(spoken_of.is_sorted() && spoken_of.first() < spoken_of.last(), "{spoken_of:?}");
    pipeline.oracle().verify_with(&[&other], PATIENCE).await?;
    for consumer in &consumers {
        pipeline.stop(consumer).await?;
    }
    Verdict::of_topic(&pipeline).await?.is_clean()
}
