//! What happens to the resources: everything that is there, again and again, and every change as soon as it is made.

use std::time::Duration;

use audit_runtime::admin::Health;
use futures_util::{Stream, StreamExt, pin_mut};
use kube::Api;
use kube::api::DynamicObject;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::mpsc;

use super::kubernetes::Resources;

/// Changes that wait to be looked at; further ones wait at the API server.
const WAITING: usize = 64;

/// What is seen of a resource.
#[derive(Debug)]
pub(super) enum Change {
    /// It is so now.
    Is(DynamicObject),
    /// It was so when it went.
    Gone(DynamicObject),
    /// Everything of a namespace follows anew; what went meanwhile is not told.
    Anew,
}

/// Watches until the receiver is dropped; lists everything anew each `resync`.
pub(super) fn changes(
    resources: &Resources,
    resync: Duration,
    health: &Health,
) -> mpsc::Receiver<Change> {
    let (sender, receiver) = mpsc::channel(WAITING);
    for api in resources.scopes() {
        let follower = Follower {
            resources: resources.clone(),
            health: health.clone(),
            condition: format!("watch {}", api.namespace().unwrap_or("all namespaces")),
            trouble: None,
            sender: sender.clone(),
        };
        tokio::spawn(follower.run(api, resync));
    }
    receiver
}

struct Follower {
    resources: Resources,
    health: Health,
    condition: String,
    /// What it has said last.
    trouble: Option<String>,
    sender: mpsc::Sender<Change>,
}

impl Follower {
    async fn run(mut self, api: Api<DynamicObject>, resync: Duration) {
        let receiver = self.sender.clone();
        while !receiver.is_closed() {
            // In pages of 500, with bookmarks: the defaults.
            let events = watcher(api.clone(), watcher::Config::default()).default_backoff();
            tokio::select! {
                () = receiver.closed() => return,
                () = self.follow(events) => {}
                // The stream is dropped, and the next one begins with a list.
                () = tokio::time::sleep(resync) => {}
            }
        }
    }

    async fn follow(&mut self, events: impl Stream<Item = watcher::Result<Event<DynamicObject>>>) {
        pin_mut!(events);
        while let Some(event) = events.next().await {
            let change = match event {
                Ok(event) => {
                    self.tell(None);
                    match event {
                        Event::Apply(resource) | Event::InitApply(resource) => Change::Is(resource),
                        Event::Delete(resource) => Change::Gone(resource),
                        Event::Init => Change::Anew,
                        Event::InitDone => continue,
                    }
                }
                Err(error) => {
                    self.tell(Some(self.explain(&error)));
                    continue;
                }
            };
            if self.sender.send(change).await.is_err() {
                return;
            }
        }
    }

    fn explain(&self, error: &watcher::Error) -> String {
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => self.resources.explain(error),
            error => error.to_string(),
        }
    }

    /// Once in the log, and in `/readyz?verbose` for as long as it lasts.
    fn tell(&mut self, trouble: Option<String>) {
        if self.trouble == trouble {
            return;
        }
        match &trouble {
            Some(trouble) => tracing::warn!("cannot {}: {trouble}", self.condition),
            None => tracing::info!("can {} again", self.condition),
        }
        self.health.set_condition(&self.condition, trouble.clone());
        self.trouble = trouble;
    }
}
