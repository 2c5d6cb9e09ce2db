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
//! Tests of code that publishes take a [`RecordingPublisher`], through the [`Publish`] trait.

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
