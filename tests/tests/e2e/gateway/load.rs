//! Senders that never pause, while something happens to the gateway or to Kafka.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use audit_producer::Acknowledged;
use audit_tests::{
    eventually,
    gateway::{self, acknowledged},
    generator::Generator,
    http::Response,
};
use chrono::Utc;
use tokio::{sync::watch, task::JoinSet};

const SENDERS: u64 = 8;

/// Senders at work, until told to stop.
pub(super) struct Load {
    senders: JoinSet<Vec<Sent>>,
    stop: watch::Sender<bool>,
    /// 201s so far.
    accepted: Arc<AtomicUsize>,
}

/// One event that was sent, and how that ended.
pub(super) struct Sent {
    pub(super) begun: Instant,
    pub(super) took: Duration,
    /// `Err` when the connection was refused or broke.
    pub(super) answer: Result<Response>,
}

impl Load {
    /// Sends different events as fast as they are answered.
    pub(super) fn start(address: SocketAddr, seed: u64) -> Self {
        let (stop, stopped) = watch::channel(false);
        let accepted = Arc::new(AtomicUsize::new(0));
        let mut senders = JoinSet::new();
        for sender in 0..SENDERS {
            let generator = Generator::new(seed + sender, Utc::now());
            senders.spawn(send(address, generator, stopped.clone(), Arc::clone(&accepted)));
        }
        Self { senders, stop, accepted }
    }

    /// Waits until so many more events are accepted.
    pub(super) async fn accepts(&self, more: usize, within: Duration) -> Result<()> {
        let wanted = self.accepted.load(Ordering::Relaxed) + more;
        eventually(within, "events to be accepted", async || {
            let accepted = self.accepted.load(Ordering::Relaxed);
            ensure!(accepted >= wanted, "{accepted} of {wanted}");
            Ok(())
        })
        .await
    }

    /// Everything that was sent, in order of time.
    pub(super) async fn stop(self) -> Vec<Sent> {
        self.stop.send_replace(true);
        let mut all: Vec<Sent> = self.senders.join_all().await.into_iter().flatten().collect();
        all.sort_by_key(|sent| sent.begun);
        all
    }
}

/// The events that were accepted.
pub(super) fn accepted(all: &[Sent]) -> Result<Vec<Acknowledged>> {
    let answers = all.iter().filter_map(|sent| sent.answer.as_ref().ok());
    answers.filter(|answer| answer.status == 201).map(acknowledged).collect()
}

async fn send(
    address: SocketAddr,
    mut generator: Generator,
    stopped: watch::Receiver<bool>,
    accepted: Arc<AtomicUsize>,
) -> Vec<Sent> {
    let mut all = Vec::new();
    while !*stopped.borrow() {
        let event = generator.events(1).remove(0).value();
        let begun = Instant::now();
        let answer = gateway::post(address, &event).await;
        match &answer {
            Ok(answer) if answer.status == 201 => {
                accepted.fetch_add(1, Ordering::Relaxed);
            }
            // As a client backs off, if only a little.
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        all.push(Sent { begun, took: begun.elapsed(), answer });
    }
    all
}
