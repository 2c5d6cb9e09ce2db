//! librdkafka's producer with the publisher's settings and nothing of ours around it: finished records go in, and
//! acknowledgements are counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use audit_producer::Record;
use rdkafka::{
    ClientConfig, ClientContext,
    error::RDKafkaErrorCode,
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
};

use super::{
    events::Events,
    meter::{Figures, Meter},
    stage::Stage,
};

/// How long the last acknowledgements may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// While the queue is full.
const PAUSE: Duration = Duration::from_millis(1);

pub(super) async fn measure(
    stage: &Stage,
    topic: &str,
    events: &Events,
    count: u32,
) -> Result<Figures> {
    let config = stage.options(topic).client_config()?;
    let records = events.records()?;
    let topic = topic.to_owned();
    let publishing = move || publish(&config, &topic, &records, count);
    tokio::task::spawn_blocking(publishing).await.context("the producer panicked")?
}

fn publish(config: &ClientConfig, topic: &str, records: &[Record], count: u32) -> Result<Figures> {
    let acknowledged = Arc::new(AtomicU32::new(0));
    let producer: ThreadedProducer<Counting> =
        config.create_with_context(Counting(Arc::clone(&acknowledged)))?;
    let keys: Vec<String> = records.iter().map(|record| record.id().to_string()).collect();
    let wanted = usize::try_from(count)?;

    let meter = Meter::start()?;
    for (record, key) in records.iter().zip(&keys).cycle().take(wanted) {
        let headers = record.headers().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(value) })
        });
        let mut message = BaseRecord::to(topic).key(key).payload(record.value()).headers(headers);
        while let Err((error, returned)) = producer.send(message) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                bail!("{error}");
            }
            message = returned;
            thread::sleep(PAUSE);
        }
    }
    producer.flush(PATIENCE)?;
    let figures = meter.publisher(count)?;
    let acknowledged = acknowledged.load(Ordering::Acquire);
    ensure!(acknowledged == count, "{acknowledged} of {count} are acknowledged");
    Ok(figures)
}

struct Counting(Arc<AtomicU32>);

impl ClientContext for Counting {}

impl ProducerContext for Counting {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }
}
