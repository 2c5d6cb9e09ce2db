//! Publishes one event and waits until it is safe.
//!
//! ```text
//! cargo run --example publish_one -- localhost:9092
//! ```

#![expect(clippy::print_stdout, reason = "it is what the example shows")]

use std::time::Duration;

use audit_producer::{AuditPublisher, PublisherOptions};
use audit_schema::event::{Outcome, WorkflowExecutionAudit};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let brokers = std::env::args().nth(1).unwrap_or_else(|| "localhost:9092".to_owned());
    let publisher = AuditPublisher::new(&PublisherOptions {
        brokers,
        source: "/clusters/demo/namespaces/default".to_owned(),
        ..PublisherOptions::default()
    })?;

    let mut event = WorkflowExecutionAudit::new("rr-1", "restart-pod", "v1", Outcome::Success);
    event.total_steps = Some(3);
    event.steps_completed = Some(3);
    let acknowledged = publisher.publish(&event).await?.await?;
    println!("{} is at {}:{}", acknowledged.id, acknowledged.partition, acknowledged.offset);

    publisher.close(Duration::from_secs(5)).await?;
    Ok(())
}
