//! The publisher: a queue with places, a Kafka client that is replaced when it breaks, an end that is told.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use audit_schema::event::WorkflowExecutionAudit;
use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, watch};

use crate::client::{Client, Delivery, Shared};
use crate::error::{PublishError, SetupError, Unacknowledged};
use crate::metrics::PublisherMetrics;
use crate::options::PublisherOptions;
use crate::publish::Publish;
use crate::receipt::Receipt;
use crate::record::Record;

/// A client that breaks as soon as it is made (no right to produce, say) is not made anew for every record.
const LEAST_AGE: Duration = Duration::from_secs(1);

/// How long a purged client may take to say so.
const PURGE: Duration = Duration::from_secs(2);

/// Publishes audit events to Kafka and tells when they are safe there: written to every in-sync replica
/// (`acks=all`), once per publish (idempotent producer).
///
/// Cheap to clone; every clone is the same publisher. Works through outages of Kafka: what cannot be acknowledged in
/// time is given up with a retriable error, and a client that met a fatal error is replaced.
#[derive(Clone)]
pub struct AuditPublisher(Arc<Inner>);

struct Inner {
    topic: String,
    source: String,
    deadline: Duration,
    config: ClientConfig,
    client: RwLock<Arc<Client>>,
    /// One permit for each KiB of the queue.
    places: Arc<Semaphore>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for AuditPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditPublisher").field("topic", &self.0.topic).finish_non_exhaustive()
    }
}

impl AuditPublisher {
    /// Starts a publisher. Does not wait for Kafka, which may be down.
    ///
    /// # Errors
    /// [`SetupError`] for options that cannot work.
    pub fn new(options: &PublisherOptions) -> Result<Self, SetupError> {
        options.check_source()?;
        let config = options.client_config()?;
        let metrics = PublisherMetrics::new(options.registry.as_ref())?;
        let shared = Arc::new(Shared::new(metrics));
        Ok(Self(Arc::new(Inner {
            topic: options.topic.clone(),
            source: options.source.clone(),
            deadline: options.deadline(),
            client: RwLock::new(Arc::new(Client::new(&config, Arc::clone(&shared))?)),
            config,
            places: Arc::new(Semaphore::new(
                usize::try_from(options.places()).unwrap_or(usize::MAX >> 3),
            )),
            shared,
        })))
    }

    /// Waits for a place in the queue, then publishes. The receipt resolves once Kafka has acknowledged the event, or
    /// with an error within the deadline, which begins when the event has its place.
    ///
    /// Dropping the future before it resolves publishes nothing; dropping the receipt takes nothing back.
    ///
    /// # Errors
    /// What shows at once: [`PublishError::Invalid`], [`PublishError::Closed`], [`PublishError::ClientFailed`].
    pub async fn publish(&self, event: &WorkflowExecutionAudit) -> Result<Receipt, PublishError> {
        Publish::publish(self, self.record(event)?).await
    }

    /// Publishes if there is a place in the queue.
    ///
    /// # Errors
    /// [`PublishError::QueueFull`] if there is none, and what [`publish`](Self::publish) gives.
    pub fn try_publish(&self, event: &WorkflowExecutionAudit) -> Result<Receipt, PublishError> {
        Publish::try_publish(self, self.record(event)?)
    }

    /// Takes no more events, waits for those under way, gives up what is not acknowledged within the time.
    ///
    /// Dropping the last clone without closing gives everything up that is under way.
    ///
    /// # Errors
    /// [`Unacknowledged`] names the events that were given up since closing began; they may or may not be written.
    pub async fn close(&self, within: Duration) -> Result<(), Unacknowledged> {
        let in_flight = &self.0.shared.in_flight;
        in_flight.begin_closing();
        self.0.places.close();
        if !in_flight.is_empty_within(within).await {
            self.client().purge();
            in_flight.is_empty_within(PURGE).await;
        }
        let ids = in_flight.unacknowledged();
        if ids.is_empty() { Ok(()) } else { Err(Unacknowledged { ids }) }
    }

    /// Why no broker can be reached, in librdkafka's words; `None` while one can be, and before it is known.
    ///
    /// `audit_runtime::kafka::explain` says what to mend.
    #[must_use]
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.0.shared.trouble.subscribe()
    }

    fn record(&self, event: &WorkflowExecutionAudit) -> Result<Record, PublishError> {
        Record::from_event(event, &self.0.source)
            .map_err(|rejection| self.counted(rejection.into()))
    }

    fn enqueue(
        &self,
        record: &Record,
        place: OwnedSemaphorePermit,
    ) -> Result<Receipt, PublishError> {
        let shared = &self.0.shared;
        let ticket = shared
            .in_flight
            .enter(record.id())
            .ok_or_else(|| self.counted(PublishError::Closed))?;
        let now = Instant::now();
        let (receipt, answer) = Receipt::new(record.id(), now + self.0.deadline);
        let mut delivery = Box::new(Delivery {
            id: record.id(),
            ticket,
            queued_at: now,
            _place: place,
            answer: Some(answer),
            shared: Arc::clone(shared),
        });
        shared.metrics.queued.inc();
        let mut client = self.client();
        if client.is_broken() {
            client = self.replace(&client)?;
        }
        if let Err((code, returned)) = client.send(&self.0.topic, record, delivery) {
            delivery = returned;
            let error = match code {
                RDKafkaErrorCode::Fatal => {
                    match self.replace(&client)?.send(&self.0.topic, record, delivery) {
                        Ok(()) => return Ok(receipt),
                        Err((code, returned)) => {
                            delivery = returned;
                            PublishError::from_kafka(code)
                        }
                    }
                }
                code => PublishError::from_kafka(code),
            };
            delivery.resolve(Err(error.clone()));
            return Err(error);
        }
        Ok(receipt)
    }

    fn client(&self) -> Arc<Client> {
        Arc::clone(&self.0.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A working client instead of the broken one, unless another thread was faster.
    fn replace(&self, broken: &Arc<Client>) -> Result<Arc<Client>, PublishError> {
        let mut current = self.0.client.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, broken) {
            if broken.age() < LEAST_AGE {
                return Err(PublishError::ClientFailed("it broke at once".to_owned()));
            }
            let client = Client::new(&self.0.config, Arc::clone(&self.0.shared))
                .map_err(|error| PublishError::ClientFailed(error.to_string()))?;
            tracing::warn!("the Kafka producer is replaced by a new one");
            // What the broken one still holds resolves with a retriable error when it is dropped.
            *current = Arc::new(client);
        }
        Ok(Arc::clone(&current))
    }

    fn counted(&self, error: PublishError) -> PublishError {
        self.0.shared.metrics.count(&error);
        error
    }
}

impl Publish for AuditPublisher {
    fn try_publish(&self, record: Record) -> Result<Receipt, PublishError> {
        let places = Arc::clone(&self.0.places).try_acquire_many_owned(cost(&record));
        let place = places.map_err(|error| match error {
            TryAcquireError::NoPermits => self.counted(PublishError::QueueFull),
            TryAcquireError::Closed => self.counted(PublishError::Closed),
        })?;
        self.enqueue(&record, place)
    }

    async fn publish(&self, record: Record) -> Result<Receipt, PublishError> {
        let places = Arc::clone(&self.0.places).acquire_many_owned(cost(&record));
        let place = places.await.map_err(|_| self.counted(PublishError::Closed))?;
        self.enqueue(&record, place)
    }
}

/// In permits; a record is at most half of the smallest queue.
fn cost(record: &Record) -> u32 {
    u32::try_from(record.size().div_ceil(1024)).unwrap_or(u32::MAX)
}
