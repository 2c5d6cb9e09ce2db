//! Which events are under way, and whether new ones are taken.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slab::Slab;
use tokio::sync::Notify;
use uuid::Uuid;

#[derive(Debug, Default)]
pub(crate) struct InFlight {
    state: Mutex<State>,
    /// Wakes whoever closes the publisher once nothing is under way any more.
    empty: Notify,
}

#[derive(Debug, Default)]
struct State {
    closing: bool,
    /// By ticket, since an id may be under way more than once.
    events: Slab<Uuid>,
    /// Given up since closing began.
    failed: Vec<Uuid>,
}

impl InFlight {
    /// Takes an event in and gives its ticket; `None` once closing has begun.
    pub(crate) fn enter(&self, id: Uuid) -> Option<usize> {
        let mut state = self.state();
        if state.closing {
            return None;
        }
        Some(state.events.insert(id))
    }

    /// Takes an event out, once; its ticket is another's from then on.
    pub(crate) fn leave(&self, ticket: usize, acknowledged: bool) {
        let mut state = self.state();
        let id = state.events.remove(ticket);
        if state.closing && !acknowledged {
            state.failed.push(id);
        }
        if state.events.is_empty() {
            self.empty.notify_waiters();
        }
    }

    pub(crate) fn begin_closing(&self) {
        self.state().closing = true;
    }

    /// Whether nothing is under way before the time is over.
    pub(crate) async fn is_empty_within(&self, time: Duration) -> bool {
        let wait = async {
            loop {
                let empty = self.empty.notified();
                if self.state().events.is_empty() {
                    return;
                }
                empty.await;
            }
        };
        tokio::time::timeout(time, wait).await.is_ok()
    }

    /// Everything that closing could not bring to a good end.
    pub(crate) fn unacknowledged(&self) -> Vec<Uuid> {
        let mut state = self.state();
        let mut ids = std::mem::take(&mut state.failed);
        ids.extend(state.events.iter().map(|(_, id)| id));
        ids
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
