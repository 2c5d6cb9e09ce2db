//! From a content to its acknowledgement.

use audit_producer::{Acknowledged, Publish, PublishError};

use super::event::Content;

/// What is not cut any further, in bytes: its size cannot be what keeps it from being taken.
const LEAST: usize = 1024;

/// Publishes the content and waits until it is safe. What Kafka refuses for good goes once more, raw and half as long,
/// until it is taken. Also tells why it was not an event that was published.
///
/// # Errors
/// What can be tried again.
pub(super) async fn persist_workflow_audit(
    publisher: &impl Publish,
    content: &Content,
) -> Result<(Acknowledged, Option<String>), PublishError> {
    let mut record = content.record.clone();
    let mut refusal = content.refusal.clone();
    loop {
        let result = match publisher.publish(record.clone()).await {
            Ok(receipt) => receipt.await,
            Err(error) => Err(error),
        };
        match result {
            Ok(acknowledged) => return Ok((acknowledged, refusal)),
            Err(error @ PublishError::Refused(_))
                if !error.is_retriable() && record.value().len() > LEAST =>
            {
                record = record.cut(record.value().len() / 2);
                refusal = Some(error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
