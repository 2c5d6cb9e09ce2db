//! Does what is to be done about one resource, however long that takes.

use std::sync::Arc;
use std::time::Duration;

use audit_producer::{Publish, PublishError};
use chrono::Utc;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::watcher::DefaultBackoff;
use tokio::sync::{Semaphore, watch};

use super::election::Term;
use super::event::Content;
use super::kubernetes::Resources;
use super::mark::{Published, Seen};
use super::metrics::{ControllerMetrics, Oddity};
use super::patch::{self, Outcome};
use super::persist::persist_workflow_audit;
use super::plan::{Goal, Job};

/// Requests to the API server at once.
const REQUESTS: usize = 16;

/// Longest note of an Event, in characters: the API server takes 1024 bytes.
const MAX_NOTE: usize = 250;

const MAX_DELAY: Duration = Duration::from_secs(30);

/// What settling takes. Cheap to clone.
#[derive(Clone)]
pub(super) struct Settler<P> {
    pub(super) publisher: P,
    pub(super) resources: Resources,
    /// Whether resources are held until they are published.
    pub(super) holds: bool,
    pub(super) metrics: ControllerMetrics,
    /// Nothing is begun when it is over.
    term: Term,
    recorder: Recorder,
    requests: Arc<Semaphore>,
}

/// Why something has to be tried again.
#[derive(Debug, thiserror::Error)]
enum Unsettled {
    #[error("{0}")]
    Unpublished(#[from] PublishError),
    #[error("{0}")]
    Unmarked(String),
    #[error("another controller leads")]
    NotLeading,
}

impl<P: Publish> Settler<P> {
    pub(super) fn new(
        publisher: P,
        resources: Resources,
        holds: bool,
        metrics: ControllerMetrics,
        term: Term,
    ) -> Self {
        let reporter = Reporter { controller: "audit-producer".to_owned(), instance: None };
        let recorder = Recorder::new(resources.client(), reporter);
        let requests = Arc::new(Semaphore::new(REQUESTS));
        Self { publisher, resources, holds, metrics, term, recorder, requests }
    }

    /// Works until the newest job is done. Safe to be dropped at any moment.
    pub(super) async fn settle(&self, jobs: &mut watch::Receiver<Job>) {
        let mut delays = DefaultBackoff::default();
        let mut published = None;
        loop {
            let job = jobs.borrow_and_update().clone();
            let Err(error) = self.attempt(&job, &mut published).await else { return };
            let delay = delays.next().unwrap_or(MAX_DELAY);
            let Seen { namespace, name, .. } = &job.seen;
            tracing::warn!(namespace, name, %error, ?delay, "not settled yet");
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                // A newer state of the resource is tried at once; whoever has sent it waits for this to end.
                _ = jobs.changed() => {}
            }
        }
    }

    /// `published`: what an attempt before has published, and need not be again.
    async fn attempt(&self, job: &Job, published: &mut Option<Published>) -> Result<(), Unsettled> {
        let content = match &job.goal {
            Goal::Held => return self.hold(&job.seen).await,
            Goal::Released => return self.patch(&job.seen, Seen::release).await.map(drop),
            Goal::Published(content) => content,
        };
        let digest = content.record.digest().to_string();
        if published.as_ref().is_none_or(|published| published.digest != digest) {
            *published = Some(self.publish(&job.seen, content, digest).await?);
        }
        let Some(published) = published else { return Ok(()) };
        self.patch(&job.seen, |seen| {
            let is_marked = seen.published.as_ref() == Some(&published.digest);
            (!is_marked || seen.is_held()).then(|| seen.mark(published))
        })
        .await
        .map(drop)
    }

    async fn publish(
        &self,
        seen: &Seen,
        content: &Content,
        digest: String,
    ) -> Result<Published, Unsettled> {
        self.leads()?;
        match persist_workflow_audit(&self.publisher, content).await {
            Ok((at, refusal)) => {
                let Seen { namespace, name, .. } = seen;
                tracing::info!(namespace, name, id = %at.id, partition = at.partition, offset = at.offset, "published");
                self.report(seen, content, refusal.as_deref()).await;
                Ok(Published { at, digest, time: Utc::now(), refusal })
            }
            Err(error) => {
                // It may take long now: nobody is to delete the resource meanwhile.
                if self.holds {
                    self.hold(seen).await?;
                }
                Err(error.into())
            }
        }
    }

    fn leads(&self) -> Result<(), Unsettled> {
        if self.term.is_on() { Ok(()) } else { Err(Unsettled::NotLeading) }
    }

    async fn hold(&self, seen: &Seen) -> Result<(), Unsettled> {
        self.patch(seen, Seen::hold).await.map(drop)
    }

    /// Tells whoever looks at the resource, and the metrics, what is odd about it.
    async fn report(&self, seen: &Seen, content: &Content, refusal: Option<&str>) {
        let refused = refusal.map(|why| {
            let note = format!(
                "published as it is, for a dead letter, since it cannot be an audit event: {why}"
            );
            (Oddity::NoEvent, note)
        });
        let odd = content
            .problems
            .iter()
            .map(|problem| (Oddity::Field, format!("published although {problem}")));
        for (oddity, note) in refused.into_iter().chain(odd) {
            self.metrics.count(oddity);
            let Seen { namespace, name, .. } = seen;
            tracing::warn!(namespace, name, "{note}");
            let event = Event {
                type_: EventType::Warning,
                reason: oddity.reason().to_owned(),
                note: Some(note.chars().take(MAX_NOTE).collect()),
                action: "Publish".to_owned(),
                secondary: None,
            };
            let _request = self.requests.acquire().await;
            let reference = self.resources.reference(seen);
            if let Err(error) = Box::pin(self.recorder.publish(&event, &reference)).await {
                // It is in the log and in the event; holding the resource for it would help nobody.
                tracing::warn!(
                    namespace,
                    name,
                    "cannot write an Event: {}",
                    self.resources.explain(&error)
                );
            }
        }
    }

    async fn patch(
        &self,
        seen: &Seen,
        change: impl Fn(&Seen) -> Option<json_patch::Patch>,
    ) -> Result<Outcome, Unsettled> {
        let _request = self.requests.acquire().await;
        self.leads()?;
        let api = self.resources.within(&seen.namespace);
        // A request takes kilobytes: those that wait for their turn, thousands maybe, are not to have room for it.
        let result = Box::pin(patch::apply(&api, seen, change)).await;
        result.map_err(|error| Unsettled::Unmarked(self.resources.explain(&error)))
    }
}

#[cfg(test)]
mod tests;
