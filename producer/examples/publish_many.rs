//! Publishes many events without waiting for each, in bounded memory, and tries again what failed.
//!
//! ```text
//! cargo run --example publish_many -- localhost:9092 100000
//! ```

#![expect(clippy::print_stdout, reason = "it is what the example shows")]

use std::collections::VecDeque;
use std::time::Duration;

use audit_producer::{AuditPublisher, PublishError, PublisherOptions, Receipt};
use audit_schema::event::{Outcome, WorkflowExecutionAudit};

/// Between two tries of an event that was not acknowledged.
const PAUSE: Duration = Duration::from_secs(1);
/// How many events may be under way. Those that fail are published again, so they are kept until then.
const UNDER_WAY: usize = 1_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let brokers = args.next().unwrap_or_else(|| "localhost:9092".to_owned());
    let count: u32 = args.next().map_or(Ok(10_000), |text| text.parse())?;
    let publisher =
        AuditPublisher::new(&PublisherOptions { brokers, ..PublisherOptions::default() })?;

    let mut under_way = VecDeque::new();
    for n in 0..count {
        let name = format!("rr-{n}");
        let event = WorkflowExecutionAudit::new(name, "restart-pod", "v1", Outcome::Success);
        // Waits while the publisher's queue is full.
        let receipt = publisher.publish(&event).await?;
        under_way.push_back((event, receipt));
        if under_way.len() == UNDER_WAY
            && let Some((event, receipt)) = under_way.pop_front()
        {
            acknowledge(&publisher, &event, receipt).await?;
        }
    }
    for (event, receipt) in under_way {
        acknowledge(&publisher, &event, receipt).await?;
    }
    publisher.close(Duration::from_secs(5)).await?;
    println!("{count} events are acknowledged");
    Ok(())
}

/// Waits for the acknowledgement, through outages of Kafka.
async fn acknowledge(
    publisher: &AuditPublisher,
    event: &WorkflowExecutionAudit,
    receipt: Receipt,
) -> Result<(), PublishError> {
    let mut result = receipt.await;
    while let Err(error) = result {
        if !error.is_retriable() {
            return Err(error);
        }
        tokio::time::sleep(PAUSE).await;
        result = match publisher.publish(event).await {
            Ok(receipt) => receipt.await,
            Err(error) => Err(error),
        };
    }
    Ok(())
}
