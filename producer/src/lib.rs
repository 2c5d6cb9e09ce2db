//! Publishes one audit event per finished workflow to Kafka.
//!
//! ```text
//!  WorkflowExecutionAudit ─┐
//!                          ├─► Record ─► Publish ─► Receipt ─► Acknowledged { id, topic, partition, offset }
//!  JSON (gateway) ─────────┘   valid,     a place    acks=all
//!                              with id    in the
//!                                         queue
//! ```
//!
//! - An event is checked by the rules the consumer has, and gets an id if it has none ([`Record`]).
//! - [`AuditPublisher::publish`] waits for a place in the queue, [`AuditPublisher::try_publish`] does not.
//! - A [`Receipt`] resolves once every in-sync replica has the event, or with a typed error within the deadline.
//! - What failed with [`PublishError::is_retriable`] is published again as it is: the id makes repeats harmless.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use audit_producer::{AuditPublisher, PublisherOptions};
//! use audit_schema::event::{Outcome, WorkflowExecutionAudit};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let publisher = AuditPublisher::new(&PublisherOptions {
//!     brokers: "kafka-0:9092,kafka-1:9092".to_owned(),
//!     source: "/clusters/prod-eu/namespaces/payments".to_owned(),
//!     ..PublisherOptions::default()
//! })?;
//!
//! let mut event = WorkflowExecutionAudit::new("rem-7f3a", "restart-pod", "v1.2.0", Outcome::Success);
//! event.total_steps = Some(3);
//! event.steps_completed = Some(3);
//!
//! let receipt = publisher.publish(&event).await?; // it has its place in the queue
//! let acknowledged = receipt.await?; // it is safe
//! println!("{} is at {}:{}", acknowledged.id, acknowledged.partition, acknowledged.offset);
//!
//! publisher.close(Duration::from_secs(5)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What to do about errors
//!
//! | [`PublishError`] | retriable | what to do |
//! |---|---|---|
//! | [`Invalid`](PublishError::Invalid) | no | mend the event: the rejection names each field |
//! | [`QueueFull`](PublishError::QueueFull) | yes | only from `try_publish`: drop load, or wait with `publish` |
//! | [`Deadline`](PublishError::Deadline) | yes | publish it again; Kafka may have it, and stores it once |
//! | [`Refused`](PublishError::Refused) | mostly | no such topic, no right: an operator mends it; too large: nobody does |
//! | [`ClientFailed`](PublishError::ClientFailed) | yes | publish it again: a new client is made |
//! | [`Closed`](PublishError::Closed) | no | the service is ending |
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use audit_producer::{Acknowledged, AuditPublisher, PublishError};
//! use audit_schema::event::WorkflowExecutionAudit;
//!
//! /// Tries until the event is safe, or will never be.
//! async fn persist(
//!     publisher: &AuditPublisher,
//!     event: &WorkflowExecutionAudit,
//! ) -> Result<Acknowledged, PublishError> {
//!     loop {
//!         let result = match publisher.publish(event).await {
//!             Ok(receipt) => receipt.await,
//!             Err(error) => Err(error),
//!         };
//!         match result {
//!             Err(error) if error.is_retriable() => tokio::time::sleep(Duration::from_secs(1)).await,
//!             result => return result,
//!         }
//!     }
//! }
//! ```
//!
//! # Many events
//!
//! Receipts need not be awaited one by one: publish on, and await them behind. Memory is bounded twice over:
//! [`publish`](AuditPublisher::publish) waits while [`queue_bytes`](PublisherOptions::queue_bytes) are under way, and so
//! many receipts as are held at once is up to the caller. `examples/publish_many.rs` adds trying again.
//!
//! ```no_run
//! # use audit_producer::{AuditPublisher, PublishError};
//! # use audit_schema::event::WorkflowExecutionAudit;
//! use std::collections::VecDeque;
//!
//! async fn publish_all(
//!     publisher: &AuditPublisher,
//!     events: impl IntoIterator<Item = WorkflowExecutionAudit>,
//! ) -> Result<(), PublishError> {
//!     let mut receipts = VecDeque::new();
//!     for event in events {
//!         receipts.push_back(publisher.publish(&event).await?);
//!         if receipts.len() == 1_000
//!             && let Some(oldest) = receipts.pop_front()
//!         {
//!             oldest.await?;
//!         }
//!     }
//!     for receipt in receipts {
//!         receipt.await?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # JSON, keys and traces
//!
//! A [`Record`] is made from a typed event or from JSON as it came. An [`Identity::Key`] says what is one event when the
//! content does not, and a [`TraceParent`] is carried on to whoever consumes the record.
//!
//! ```
//! use audit_producer::{Identity, Record, TraceParent};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let json = br#"{"id":"","remediation_id":"rr-1","workflow_name":"restart-pod",
//!     "workflow_version":"v1","outcome":"success"}"#;
//! let trace: TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse()?;
//! let record = Record::from_json(json, Identity::Key("job-17"), "/batch")?.with_traceparent(&trace);
//!
//! let again = Record::from_json(json, Identity::Key("job-17"), "/batch")?;
//! assert_eq!(record.id(), again.id()); // stored once, however often it is published
//! # Ok(())
//! # }
//! ```
//!
//! [`Publish::publish`] takes records, on an [`AuditPublisher`] as on a [`RecordingPublisher`].
//!
//! # Tests
//!
//! Code that publishes takes any [`Publish`], and its tests a [`RecordingPublisher`], which keeps what it is given and
//! answers as it is told.
//!
//! ```
//! use audit_producer::{Answer, Publish, PublishError, Record, RecordingPublisher};
//! use audit_schema::event::{Outcome, WorkflowExecutionAudit};
//!
//! async fn audit(publisher: &impl Publish, name: &str) -> Result<(), PublishError> {
//!     let event = WorkflowExecutionAudit::new("rr-1", name, "v1", Outcome::Failed);
//!     publisher.publish(Record::from_event(&event, "/test")?).await?.await?;
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), PublishError> {
//! let publisher = RecordingPublisher::default();
//! publisher.next_answer(Answer::Fail(PublishError::Deadline));
//! assert!(audit(&publisher, "drain-node").await.is_err_and(|error| error.is_retriable()));
//! audit(&publisher, "drain-node").await?;
//! assert_eq!(publisher.records().len(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! # At shutdown
//!
//! [`AuditPublisher::close`] takes no more events and waits for those under way; what it gives up it names. Dropping the
//! last clone without closing gives up everything that is under way.
//!
//! # Limits
//!
//! - An event has at most 1 MiB ([`MAX_EVENT_BYTES`](audit_schema::topic::MAX_EVENT_BYTES)), its id included.
//! - Events of one id are in order when their publisher sends the next one after the acknowledgement of the one before.
//!   Otherwise one that is published again may come after a newer one.
//! - librdkafka properties that a promise rests on cannot be set: [`SetupError::Property`].
//! - There are no cargo features. Receipts need a tokio runtime with time enabled.

mod client;
mod error;
mod in_flight;
mod metrics;
mod options;
mod publish;
mod publisher;
mod receipt;
mod record;
mod recording;
mod traceparent;

pub use error::{PublishError, SetupError, Unacknowledged};
pub use options::PublisherOptions;
pub use publish::Publish;
pub use publisher::AuditPublisher;
pub use receipt::{Acknowledged, Receipt};
pub use record::{Identity, Record};
pub use recording::{Answer, RecordingPublisher};
pub use traceparent::{InvalidTraceParent, TraceParent};
