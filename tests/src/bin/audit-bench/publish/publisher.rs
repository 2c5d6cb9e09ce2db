//! The library as a service uses it: JSON goes in, and every receipt is awaited.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use audit_producer::{AuditPublisher, Identity, Publish, Receipt, Record};

use super::{
    events::{Events, SOURCE},
    meter::{Figures, Meter},
    stage::Stage,
};

/// Receipts held at once: fewer than fill the queue.
const UNDER_WAY: usize = 20_000;

pub(super) async fn measure(
    stage: &Stage,
    topic: &str,
    events: &Events,
    count: u32,
) -> Result<Figures> {
    let publisher = AuditPublisher::new(&stage.options(topic))?;
    let json = Arc::clone(&events.json);
    // On a thread of the runtime, as all that publish are.
    let publishing = async move {
        let meter = Meter::start()?;
        let mut receipts: VecDeque<Receipt> = VecDeque::with_capacity(UNDER_WAY);
        for json in json.iter().cycle().take(usize::try_from(count)?) {
            if receipts.len() == UNDER_WAY
                && let Some(oldest) = receipts.pop_front()
            {
                oldest.await?;
            }
            let record = Record::from_json(json, Identity::Content, SOURCE)?;
            receipts.push_back(Publish::publish(&publisher, record).await?);
        }
        for receipt in receipts {
            receipt.await?;
        }
        let figures = meter.publisher(count)?;
        publisher.close(Duration::from_secs(5)).await?;
        Ok(figures)
    };
    tokio::spawn(publishing).await.context("the publisher panicked")?
}
