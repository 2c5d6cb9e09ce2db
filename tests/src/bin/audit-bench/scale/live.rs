//! Events at a steady rate, whatever becomes of them: an open loop, so that a slow consumer cannot slow its sender.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use audit_producer::{AuditPublisher, Publish};
use audit_tests::generator::Generator;
use tokio::{task::JoinHandle, time::interval};
use uuid::Uuid;

use super::{fill::record, site::our_time};

/// How often it looks what is due.
const TICK: Duration = Duration::from_millis(1);

/// Traffic that goes on until it is ended.
pub(super) struct Live {
    published: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
    task: JoinHandle<Result<Vec<Published>>>,
}

/// An event, and when it was given to the publisher: microseconds since the Unix epoch.
pub(super) type Published = (Uuid, i64);

impl Live {
    /// Starts with so many events a second.
    pub(super) fn start(publisher: AuditPublisher, generator: Generator, rate: u32) -> Self {
        let (published, over) = (Arc::<AtomicU32>::default(), Arc::<AtomicBool>::default());
        let task = publish(publisher, generator, rate, Arc::clone(&published), Arc::clone(&over));
        let task = tokio::spawn(task);
        Self { published, over, task }
    }

    /// Events so far.
    pub(super) fn published(&self) -> u32 {
        self.published.load(Ordering::Relaxed)
    }

    /// Ends it; gives all events, each of which Kafka has acknowledged.
    pub(super) async fn end(self) -> Result<Vec<Published>> {
        self.over.store(true, Ordering::Relaxed);
        self.task.await.context("the publisher panicked")?
    }
}

async fn publish(
    publisher: AuditPublisher,
    mut generator: Generator,
    rate: u32,
    count: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
) -> Result<Vec<Published>> {
    let gap = Duration::from_secs(1) / rate;
    let started = Instant::now();
    let mut ticks = interval(TICK);
    let (mut published, mut receipts) = (Vec::new(), Vec::new());
    while !over.load(Ordering::Relaxed) {
        ticks.tick().await;
        while started.elapsed() >= gap * count.load(Ordering::Relaxed) {
            let record = record(&mut generator)?;
            published.push((record.id(), our_time()));
            receipts.push(Publish::publish(&publisher, record).await?);
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
    for receipt in receipts {
        receipt.await?;
    }
    Ok(published)
}
