//! How a batch gets from gathering to writing: from hand to hand. None waits in between, since it would hold memory
//! and make nothing faster: while one is written the next is gathered.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::sleep_until;

use crate::batch::Batch;

/// The writer's whole attention: held by whoever is about to give it a batch, then by the writer until that is written.
pub(super) type Turn = OwnedSemaphorePermit;

/// The gathering side.
pub(super) struct ToWriter {
    batches: mpsc::Sender<(Batch, Turn)>,
    turn: Arc<Semaphore>,
}

/// The writing side: batches, each with a [`Turn`] to be dropped when it is written.
pub(super) type ToWrite = mpsc::Receiver<(Batch, Turn)>;

pub(super) fn channel() -> (ToWriter, ToWrite) {
    let (batches, ready) = mpsc::channel(1);
    (ToWriter { batches, turn: Arc::new(Semaphore::new(1)) }, ready)
}

impl ToWriter {
    /// Waits until the writer has nothing to do.
    pub(super) async fn idle(&self) -> Turn {
        Arc::clone(&self.turn).acquire_owned().await.expect("nobody closes the semaphore")
    }

    /// The same, but not before a time.
    pub(super) async fn idle_from(&self, time: Instant) -> Turn {
        sleep_until(time.into()).await;
        self.idle().await
    }

    /// Gives the writer a batch.
    pub(super) fn write(&self, batch: Batch, turn: Turn) {
        // There is room, since there is one turn only; and the writer ends only when the process does.
        let _ = self.batches.try_send((batch, turn));
    }
}
