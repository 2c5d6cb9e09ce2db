//! What is sent: new events, repeats, contradictions, poison; by the library, over HTTP, and by
//! somebody who uses neither.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use audit_producer::{Acknowledged, AuditPublisher, PublisherOptions, Receipt};
use audit_schema::{event::WorkflowExecutionAudit, topic::TOPIC};
use audit_tests::{
    gateway::{self, acknowledged},
    generator::{Event, Generator},
};
use chrono::Utc;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;

use crate::{settings::Settings, stage::Stage};

/// Of this many events ..
const BLOCK: usize = 1_000;
/// .. so many are published once more,
const REPEATED: usize = 20;
/// and for so many ids another content is published.
const CONTRADICTED: usize = 10;
/// One in so many requests is sent twice.
const HTTP_REPEATED: usize = 10;
/// More than the publisher's queue has room for, so that it is the queue that is waited for.
const WAITING: usize = 100_000;
/// The seven-day reports see all of it.
const SPREAD: Duration = Duration::from_secs(6 * 86_400);
const POISON_PAUSE: Duration = Duration::from_secs(2);

/// What goes on while it is published. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<Counts>);

#[derive(Default)]
struct Counts {
    acknowledged: AtomicU64,
    finished: AtomicBool,
}

impl Counter {
    pub(crate) fn acknowledged(&self) -> u64 {
        self.0.acknowledged.load(Ordering::Relaxed)
    }

    /// Whether nothing more will come.
    pub(crate) fn is_finished(&self) -> bool {
        self.0.finished.load(Ordering::Relaxed)
    }

    fn add(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.0.acknowledged.fetch_add(count, Ordering::Relaxed);
    }
}

/// Records that were acknowledged, by what they were.
#[derive(Default)]
pub(crate) struct Published {
    pub(crate) library: usize,
    pub(crate) library_repeated: usize,
    pub(crate) contradicted: usize,
    pub(crate) http: usize,
    pub(crate) http_repeated: usize,
    pub(crate) poison: usize,
    /// Where each of them is, but for poison.
    pub(crate) acknowledged: Vec<Acknowledged>,
}

impl Published {
    pub(crate) fn total(&self) -> usize {
        self.acknowledged.len() + self.poison
    }
}

pub(crate) async fn everything(
    stage: &Stage,
    settings: &Settings,
    counter: &Counter,
) -> Result<Published> {
    let library = tokio::spawn(by_library(
        stage.kafka.bootstrap().to_owned(),
        generator(settings.seed),
        settings.events,
        counter.clone(),
    ));
    let over_http = over_http(stage.gateway.address, generator(settings.seed + 1), counter);
    let poison = poison(stage, generator(settings.seed + 2), counter);
    let (http, poison) = tokio::try_join!(over_http, poison)?;
    let mut published = library.await.context("the publishing task panicked")??;
    published.poison = poison;
    published.http = Settings::HTTP_EVENTS;
    published.http_repeated = http.len() - Settings::HTTP_EVENTS;
    published.acknowledged.extend(http);
    counter.0.finished.store(true, Ordering::Relaxed);
    Ok(published)
}

fn generator(seed: u64) -> Generator {
    Generator::new(seed, Utc::now()).spread_over(SPREAD)
}

/// As a controller written in Rust does it.
async fn by_library(
    brokers: String,
    mut generator: Generator,
    events: usize,
    counter: Counter,
) -> Result<Published> {
    let publisher = AuditPublisher::new(&PublisherOptions {
        brokers,
        source: "/clusters/demo/namespaces/kubernaut".to_owned(),
        deadline: Duration::from_secs(30),
        ..PublisherOptions::default()
    })?;
    let (receipts, waiting) = mpsc::channel(BLOCK);
    let acknowledgements = tokio::spawn(collect(waiting, counter));
    let mut published = Published::default();
    while published.library < events {
        let block = generator.events(BLOCK.min(events - published.library));
        let repeats = block.iter().step_by(BLOCK / REPEATED);
        // Without an id of its own, other content would be another event.
        let with_id = block.iter().filter(|event| event.id.is_some());
        let contradictions: Vec<Event> = with_id
            .step_by(BLOCK / 2 / CONTRADICTED)
            .take(CONTRADICTED)
            .map(|event| generator.conflict(event))
            .collect();
        published.library += block.len();
        published.library_repeated += repeats.len();
        published.contradicted += contradictions.len();
        for event in block.iter().chain(repeats).chain(&contradictions) {
            let event: WorkflowExecutionAudit = serde_json::from_slice(&event.value())?;
            let receipt = publisher.publish(&event).await?;
            receipts.send(receipt).await.context("an event was not acknowledged")?;
        }
    }
    drop(receipts);
    published.acknowledged = acknowledgements.await.context("a task panicked")??;
    publisher.close(Duration::from_secs(30)).await?;
    Ok(published)
}

async fn collect(receipts: mpsc::Receiver<Receipt>, counter: Counter) -> Result<Vec<Acknowledged>> {
    let next =
        async |mut receipts: mpsc::Receiver<Receipt>| Some((receipts.recv().await?, receipts));
    stream::unfold(receipts, next)
        .map(async |receipt| {
            let acknowledged = receipt.await?;
            counter.add(1);
            Ok(acknowledged)
        })
        .buffer_unordered(WAITING)
        .try_collect()
        .await
}

/// As a controller in any other language does it.
async fn over_http(
    gateway: SocketAddr,
    mut generator: Generator,
    counter: &Counter,
) -> Result<Vec<Acknowledged>> {
    let mut requests = Vec::new();
    for (number, event) in generator.events(Settings::HTTP_EVENTS).into_iter().enumerate() {
        if number % HTTP_REPEATED == 0 {
            requests.push(event.respelled().value());
        }
        requests.push(event.value());
    }
    stream::iter(requests)
        .map(async |event| {
            let answer = acknowledged(&gateway::post(gateway, &event).await?)?;
            counter.add(1);
            Ok(answer)
        })
        .buffer_unordered(4)
        .try_collect()
        .await
}

/// As only somebody can who writes to the topic by other means: every publisher refuses these.
async fn poison(stage: &Stage, mut generator: Generator, counter: &Counter) -> Result<usize> {
    let mut codes: Vec<_> = Generator::poisons().chain(Generator::poisons()).collect();
    generator.random().shuffle(&mut codes);
    for codes in codes.chunks(8) {
        let records = codes.iter().map(|code| generator.poison(*code)).collect();
        counter.add(stage.kafka.publish(TOPIC, records).await?.len());
        tokio::time::sleep(POISON_PAUSE).await;
    }
    Ok(codes.len())
}
