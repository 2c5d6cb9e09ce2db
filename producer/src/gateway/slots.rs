//! Room for requests: what bounds the memory that all of them together take.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::problem::Problem;

/// As many slots as `--max-concurrency` says, each with room for 1 MiB of a body.
#[derive(Debug)]
pub(super) struct Slots {
    free: Semaphore,
    all: u32,
}

/// The slots of one request, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    slots: &'a Slots,
    permit: SemaphorePermit<'a>,
}

impl Slots {
    pub(super) fn new(all: u32) -> Self {
        let permits = usize::try_from(all).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { free: Semaphore::new(permits), all }
    }

    /// Takes so many slots, or all there are if that is less: alone, a request of any size is served.
    pub(super) fn take(&self, count: usize) -> Result<Taken<'_>, Problem> {
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(self.all);
        let permit = self.free.try_acquire_many(count).map_err(|_| Problem::too_many_requests())?;
        Ok(Taken { slots: self, permit })
    }
}

impl Taken<'_> {
    /// Makes it so many slots, if it is fewer.
    pub(super) fn grow_to(&mut self, count: usize) -> Result<(), Problem> {
        let all = usize::try_from(self.slots.all).unwrap_or(usize::MAX);
        let more = count.min(all).saturating_sub(self.permit.num_permits());
        self.permit.merge(self.slots.take(more)?.permit);
        Ok(())
    }
}
