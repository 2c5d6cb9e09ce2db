//! Fills the topic.

use anyhow::Result;
use audit_tests::generator::{Generator, IdKind, resize};
use chrono::DateTime;
use fastrand::Rng;

use crate::{settings::Settings, stage::Stage};

/// 2025-06-15 15:06:40 UTC: the same ids in every run.
const LATEST: i64 = 1_750_000_000;
/// Events published at a time.
const BLOCK: u32 = 10_000;

/// Publishes the events; gives the sum of their sizes in bytes.
pub(crate) async fn publish(stage: &Stage, settings: &Settings) -> Result<usize> {
    let publisher = stage.kafka.publisher()?;
    let latest = DateTime::from_timestamp_secs(LATEST).unwrap_or_default();
    let mut generator = Generator::new(settings.seed, latest);
    let mut random = Rng::with_seed(settings.seed);
    let mut bytes = 0;
    let mut left = settings.events();
    while left > 0 {
        let block = left.min(BLOCK);
        let mut records = Vec::new();
        for _ in 0..block {
            // As the controller's: the id carries the resource's creation time.
            let event = generator.event(IdKind::Dated);
            let mut value = event.value();
            if let Some(size) = settings.event_bytes {
                value = resize(&value, usize::try_from(size)?, &mut random)?;
            }
            bytes += value.len();
            let mut record = event.record();
            record.value = Some(value);
            records.push(record);
        }
        publisher.publish(stage.topic(), records).await?;
        left -= block;
    }
    Ok(bytes)
}
