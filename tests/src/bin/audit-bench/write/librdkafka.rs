//! The consumer's Kafka client by itself: what it gives is looked at and dropped.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use audit_consumer::kafka::group_config;
use audit_runtime::kafka::KafkaOptions;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};

use crate::{
    cpu::{CpuTimes, ratio},
    load::Load,
    meter::{Figures, each},
    stage::Stage,
};

/// How long the broker may keep silent.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn measure(stage: &Stage, load: &Load) -> Result<Figures> {
    let options = KafkaOptions {
        brokers: stage.kafka.bootstrap().to_owned(),
        topic: load.topic.clone(),
        property: Vec::new(),
    };
    let config = group_config(&options, "librdkafka").map_err(|reason| anyhow!(reason))?;
    let mut list = TopicPartitionList::new();
    for partition in 0..stage.kafka.partitions(&load.topic).await? {
        list.add_partition_offset(&load.topic, partition, Offset::Beginning)?;
    }
    let before = CpuTimes::now()?;
    let events = load.records;
    let reading = move || read(&config, &list, events);
    let rate = tokio::task::spawn_blocking(reading).await.context("the reader panicked")??;
    let cpu = CpuTimes::now()?.since(&before);
    Ok(Figures {
        rate,
        peak_memory: None,
        client_cpu: each(cpu.ours, events),
        postgres_cpu: None,
        broker_cpu: Some(each(cpu.broker, events)),
        wal: None,
        disk: None,
        others: cpu.others(),
    })
}

/// Reads so many records; gives how many a second, from the first record on.
fn read(config: &ClientConfig, list: &TopicPartitionList, events: u32) -> Result<f64> {
    let consumer: BaseConsumer = config.create()?;
    consumer.assign(list)?;
    let mut bytes = 0;
    let mut started = None;
    for received in 0..events {
        let message = consumer
            .poll(PATIENCE)
            .with_context(|| format!("no record after {received} of {events}"))??;
        bytes += message.payload_len();
        started.get_or_insert_with(Instant::now);
    }
    ensure!(bytes > 0, "the records are empty");
    let elapsed = started.context("there are no events")?.elapsed();
    Ok(ratio(u64::from(events - 1) * 1_000_000, u64::try_from(elapsed.as_micros())?))
}
