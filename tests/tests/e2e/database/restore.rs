//! The database is set back to an older state under the feet of running consumers.

use anyhow::Result;
use audit_tests::{generator::Generator, pipeline::Pipeline};
use chrono::Utc;

use super::mixture;

const SEED: u64 = 0x0A0D_1004;

/// Nothing new has to arrive for the consumers to notice.
#[tokio::test]
async fn an_idle_stream_heals_from_the_restored_position() -> Result<()> {
    let pipeline = Pipeline::shared("restored", 4).await?;
    let (kafka, postgres) = (pipeline.servers.kafka, pipeline.servers.postgres);
    let mut generator = Generator::new(SEED, Utc::now());
    let consumers = [pipeline.start_consumer().await?, pipeline.start_consumer().await?];
    kafka.publish(&pipeline.topic, mixture(&mut generator, 100, 4)).await?;
    pipeline.verify().await?;
    let dump = postgres.dump(&pipeline.database).await?;
    kafka.publish(&pipeline.topic, mixture(&mut generator, 100, 4)).await?;
    let before = pipeline.verify().await?;

    postgres.restore(&pipeline.database, &dump).await?;
    assert_eq!(pipeline.verify().await?.ids, before.ids);
    for consumer in &consumers {
        pipeline.stop(consumer).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_busy_stream_heals_from_the_restored_position() -> Result<()> {
    let pipeline = Pipeline::shared("restored_busy", 4).await?;
    let (kafka, postgres) = (pipeline.servers.kafka, pipeline.servers.postgres);
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let consumer = pipeline.consumer().env("AUDIT_BATCH_SIZE", "20");
    let consumers = [consumer.clone().start_ready().await?, consumer.start_ready().await?];
    let mut publish = async |events| {
        kafka.publish(&pipeline.topic, mixture(&mut generator, events, 4)).await.map(drop)
    };
    publish(100).await?;
    // Somewhere in the middle of what is written.
    let dump = postgres.dump(&pipeline.database).await?;
    let publishing = async {
        for _ in 0..10 {
            publish(30).await?;
        }
        Ok(())
    };
    tokio::try_join!(publishing, postgres.restore(&pipeline.database, &dump))?;
    pipeline.verify().await?;
    for consumer in &consumers {
        pipeline.stop(consumer).await?;
    }
    Ok(())
}
