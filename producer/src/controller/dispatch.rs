//! One task for each resource that has something to be done about it, and the newest job for each task.

use std::collections::HashMap;
use std::time::Duration;

use audit_producer::Publish;
use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::event::Rules;
use super::plan::{Goal, Job, plan, plan_gone};
use super::settle::Settler;
use super::watch::Change;

/// How often it is shown what is pending.
const TICK: Duration = Duration::from_secs(1);

/// What is known of a resource while something is to be done, or was done and does not show yet.
struct Entry {
    jobs: watch::Sender<Job>,
    /// It is done; the watch will show it.
    is_settled: bool,
    seen_at: DateTime<Utc>,
}

/// The resources' uids: a name may be taken again.
type Uid = String;

pub(super) struct Dispatcher<P> {
    rules: Rules,
    settler: Settler<P>,
    entries: HashMap<Uid, Entry>,
    tasks: JoinSet<(Uid, watch::Receiver<Job>)>,
}

impl<P: Publish> Dispatcher<P> {
    pub(super) fn new(rules: Rules, settler: Settler<P>) -> Self {
        Self { rules, settler, entries: HashMap::new(), tasks: JoinSet::new() }
    }

    /// Works until told to stop, then for as long as `grace` on what is under way.
    pub(super) async fn run(
        mut self,
        mut changes: mpsc::Receiver<Change>,
        stop: CancellationToken,
        grace: Duration,
    ) {
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(change) = changes.recv() => self.take(change),
                Some(done) = self.tasks.join_next() => {
                    let (uid, jobs) = done.expect("nobody aborts a task, and none panics");
                    self.settled(&uid, jobs);
                }
                _ = tick.tick() => self.show(),
            }
        }
        // What is not done by then is done by the next controller.
        let _ =
            tokio::time::timeout(grace, async { while self.tasks.join_next().await.is_some() {} })
                .await;
    }

    fn take(&mut self, change: Change) {
        let (resource, is_gone) = match change {
            Change::Is(resource) => (resource, false),
            Change::Gone(resource) => (resource, true),
            Change::Anew => {
                return self.entries.retain(|_, entry| !entry.is_settled);
            }
        };
        let Some(uid) = resource.metadata.uid.clone() else { return };
        let job = if is_gone {
            plan_gone(&self.rules, resource)
        } else {
            plan(&self.rules, resource, self.settler.holds)
        };
        match (job, self.entries.get_mut(&uid)) {
            // What is under way ends by itself.
            (None, Some(entry)) if entry.is_settled => drop(self.entries.remove(&uid)),
            (None, _) => {}
            // The watch is behind what has been done, or tells of another field.
            (Some(job), Some(entry)) if entry.jobs.borrow().goal.is_same(&job.goal) => {}
            (Some(job), Some(entry)) => {
                // A settled entry has no task, and no receiver.
                entry.jobs.send_replace(job);
                if entry.is_settled {
                    entry.is_settled = false;
                    let jobs = entry.jobs.subscribe();
                    self.start(uid, jobs);
                }
            }
            (Some(job), None) => {
                let (sender, jobs) = watch::channel(job);
                let entry = Entry { jobs: sender, is_settled: false, seen_at: Utc::now() };
                self.entries.insert(uid.clone(), entry);
                self.start(uid, jobs);
            }
        }
    }

    fn start(&mut self, uid: Uid, mut jobs: watch::Receiver<Job>) {
        let settler = self.settler.clone();
        self.tasks.spawn(async move {
            settler.settle(&mut jobs).await;
            (uid, jobs)
        });
    }

    fn settled(&mut self, uid: &Uid, jobs: watch::Receiver<Job>) {
        if jobs.has_changed().unwrap_or(false) {
            return self.start(uid.clone(), jobs);
        }
        if let Some(entry) = self.entries.get_mut(uid) {
            entry.is_settled = true;
        }
    }

    /// How many resources are not published, and since when the oldest of them is to be.
    fn show(&self) {
        let pending = self.entries.values().filter(|entry| !entry.is_settled);
        let since = pending.filter_map(|entry| match &entry.jobs.borrow().goal {
            Goal::Published(content) => Some(content.ended_at.unwrap_or(entry.seen_at)),
            Goal::Held | Goal::Released => None,
        });
        let now = Utc::now();
        let (count, oldest) =
            since.fold((0, now), |(count, oldest), since| (count + 1, oldest.min(since)));
        self.settler.metrics.show(count, now - oldest);
    }
}
