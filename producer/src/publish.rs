//! The seam between those who have events and what becomes of them.

use std::future::Future;

use crate::error::PublishError;
use crate::receipt::Receipt;
use crate::record::Record;

/// Takes records, and answers for each with a receipt.
///
/// [`AuditPublisher`](crate::AuditPublisher) sends them to Kafka, [`RecordingPublisher`](crate::RecordingPublisher)
/// keeps them for a test to look at. Never blocks the thread.
pub trait Publish: Clone + Send + Sync + 'static {
    /// Publishes if there is a place in the queue.
    ///
    /// # Errors
    /// [`PublishError::QueueFull`] if there is none, and whatever else shows at once.
    fn try_publish(&self, record: Record) -> Result<Receipt, PublishError>;

    /// Waits for a place in the queue, then publishes. The deadline of the receipt begins when there is one.
    ///
    /// Dropping the future before it resolves publishes nothing.
    ///
    /// # Errors
    /// What shows at once; never [`PublishError::QueueFull`].
    fn publish(&self, record: Record)
    -> impl Future<Output = Result<Receipt, PublishError>> + Send;
}
