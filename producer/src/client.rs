//! One librdkafka producer, from its first record to its last or to its fatal error.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, PurgeConfig, ThreadedProducer};
use rdkafka::{ClientConfig, Statistics};
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use uuid::Uuid;

use crate::error::PublishError;
use crate::in_flight::InFlight;
use crate::metrics::PublisherMetrics;
use crate::receipt::Acknowledged;
use crate::record::Record;

/// What librdkafka carries along with a record and gives back with its fate.
///
/// Dropped without an answer (a client that ended without delivery reports), it still leaves the books in order.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) id: Uuid,
    pub(crate) ticket: usize,
    pub(crate) queued_at: Instant,
    /// The record's place in the queue, free again when this is dropped.
    pub(crate) _place: OwnedSemaphorePermit,
    pub(crate) answer: Option<oneshot::Sender<Result<Acknowledged, PublishError>>>,
    pub(crate) shared: Arc<Shared>,
}

/// What outlives a client that is replaced.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) in_flight: InFlight,
    pub(crate) metrics: PublisherMetrics,
    /// Why no broker can be reached, as the client last complained.
    pub(crate) trouble: watch::Sender<Option<String>>,
}

impl Shared {
    pub(crate) fn new(metrics: PublisherMetrics) -> Self {
        Self { in_flight: InFlight::default(), metrics, trouble: watch::Sender::new(None) }
    }

    fn set_trouble(&self, trouble: Option<String>) {
        self.trouble.send_if_modified(|known| {
            let differs = *known != trouble;
            *known = trouble;
            differs
        });
    }
}

impl Delivery {
    pub(crate) fn resolve(mut self, result: Result<Acknowledged, PublishError>) {
        self.settle(result);
    }

    fn settle(&mut self, result: Result<Acknowledged, PublishError>) {
        let Some(answer) = self.answer.take() else { return };
        let metrics = &self.shared.metrics;
        match &result {
            Ok(_) => {
                metrics.acknowledged.inc();
                metrics.ack_seconds.observe(self.queued_at.elapsed().as_secs_f64());
            }
            Err(error) => metrics.count(error),
        }
        metrics.queued.dec();
        self.shared.in_flight.leave(self.ticket, result.is_ok());
        // The receipt may have been dropped: an event is published whether or not anyone waits for it.
        let _ = answer.send(result);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.settle(Err(PublishError::ClientFailed("it ended without an answer".to_owned())));
    }
}

/// A librdkafka producer with its polling thread.
pub(crate) struct Client {
    /// Always there until dropped.
    producer: Option<ThreadedProducer<Context>>,
    made_at: Instant,
}

impl Client {
    pub(crate) fn new(config: &ClientConfig, shared: Arc<Shared>) -> Result<Self, KafkaError> {
        let context =
            Context { shared, broken: AtomicBool::default(), complaint: Mutex::default() };
        let producer = config.create_with_context(context)?;
        Ok(Self { producer: Some(producer), made_at: Instant::now() })
    }

    pub(crate) fn age(&self) -> Duration {
        self.made_at.elapsed()
    }

    /// Whether it has met a fatal error and takes nothing any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.producer().client().context().broken.load(Ordering::Acquire)
    }

    /// Queues the record. Gives the delivery back, unresolved, when librdkafka does not take it.
    pub(crate) fn send(
        &self,
        topic: &str,
        record: &Record,
        delivery: Box<Delivery>,
    ) -> Result<(), (RDKafkaErrorCode, Box<Delivery>)> {
        let headers = record.headers().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(value) })
        });
        let message = BaseRecord::with_opaque_to(topic, delivery)
            .key(record.key())
            .payload(record.value())
            .headers(headers);
        self.producer().send(message).map_err(|(error, message)| {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            (code, message.delivery_opaque)
        })
    }

    /// Gives everything up that is not acknowledged; deliveries resolve with an error.
    pub(crate) fn purge(&self) {
        self.producer().purge(PurgeConfig::default().queue().inflight());
    }

    fn producer(&self) -> &ThreadedProducer<Context> {
        self.producer.as_ref().expect("it is taken only when dropped")
    }
}

impl Drop for Client {
    /// Ending a producer waits for its threads, for up to a second: not on a thread that runs tasks.
    fn drop(&mut self) {
        let producer = self.producer.take();
        // When there is no thread to be had, the closure is dropped here and now, which is all the same.
        let _ = std::thread::Builder::new()
            .name("audit-producer-end".to_owned())
            .spawn(move || drop(producer));
    }
}

struct Context {
    shared: Arc<Shared>,
    broken: AtomicBool,
    complaint: Mutex<Option<String>>,
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        let complaint = || self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::Fatal) => {
                self.broken.store(true, Ordering::Release);
                tracing::error!(reason, "the Kafka producer met a fatal error");
            }
            // The consequence; the complaint before it was the cause.
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                let cause = complaint().clone().unwrap_or_else(|| reason.to_owned());
                self.shared.set_trouble(Some(cause));
            }
            _ => {
                // During an outage this comes twice a second; librdkafka's own log has each cause once.
                tracing::debug!(%error, reason, "Kafka");
                *complaint() = Some(reason.to_owned());
            }
        }
    }

    fn stats(&self, statistics: Statistics) {
        if statistics.brokers.values().any(|broker| broker.state == "UP") {
            self.shared.set_trouble(None);
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Box<Delivery>) {
        let outcome = match result {
            Ok(message) => Ok(Acknowledged {
                id: delivery.id,
                topic: message.topic().to_owned(),
                partition: message.partition(),
                offset: message.offset(),
            }),
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                Err(PublishError::from_kafka(code))
            }
        };
        delivery.resolve(outcome);
    }
}
