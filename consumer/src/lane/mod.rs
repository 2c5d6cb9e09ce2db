//! A lane: records of its partitions come in, committed transactions go out.
//!
//! Three tasks, so that the database need not wait: the next batch is decoded while it works on this one, and the one
//! before is counted and let go of.

mod finish;
mod gather;
mod handover;
mod share;
mod trace;
mod write;

use std::sync::Arc;
use std::time::Duration;

use audit_runtime::admin::Health;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::batch::{BatchBuilder, MAX_BATCH_BYTES};
use crate::budget::Budget;
use crate::database::Database;
use crate::metrics::{EventSeries, Metrics};
use crate::partitions::Months;
use crate::source::{Commands, ToLane};
use crate::store::Store;

pub use self::share::ShareLimit;
pub use self::trace::BatchTraces;

/// Batches between writing and finishing.
const DONE: usize = 1;
/// Raw bytes for which a lane has use: a batch that is written, and the next one that is gathered meanwhile.
///
/// With as many for each lane no budget is spent while every lane waits for more: a lane whose writer is idle holds
/// less than one batch.
///
/// All of the process takes at most 48 MiB and 64 MiB for each lane, which a test holds it to with two lanes, one
/// broker and events of nearly 1 MiB: each byte in flight may be there twice, as record and as row; the records that
/// the client has fetched ahead come on top, and what the allocator cannot use again.
pub const IN_FLIGHT_BYTES: usize = 2 * MAX_BATCH_BYTES;

/// What every lane has in common.
#[derive(Clone)]
pub struct Setup {
    /// Writes batches.
    pub store: Store,
    /// Connections, one per lane.
    pub database: Database,
    /// Partitions of the table.
    pub months: Months,
    /// The way to the source.
    pub commands: Commands,
    /// Bytes in flight.
    pub budget: Budget,
    /// Metrics.
    pub metrics: Metrics,
    /// Makes spans of batches; none without traces.
    pub traces: Option<BatchTraces>,
    /// Shows that the database is away.
    pub health: Health,
    /// Records per batch.
    pub batch_size: usize,
    /// How long a record may wait for others.
    pub linger: Duration,
    /// Above it a partition halts.
    pub dead_letter_limit: ShareLimit,
    /// Cancelled when it is time to give up what could not be written.
    pub give_up: CancellationToken,
}

/// Starts a lane's tasks, which end after [`ToLane::Stop`] and the last commit.
pub fn start(setup: &Setup, tasks: &mut JoinSet<()>) -> mpsc::UnboundedSender<ToLane> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the budget bounds what is in it, and the source must never wait"
    )]
    let (sender, inbox) = mpsc::unbounded_channel();
    let (batches, ready) = handover::channel();
    let series = EventSeries::new(setup.metrics.events.clone());
    let builder =
        BatchBuilder::new(Arc::clone(&setup.store.topic), setup.batch_size, setup.linger, series);
    tasks.spawn(gather::Gather::new(setup, builder, inbox, batches).run());
    let (finisher, done) = mpsc::channel(DONE);
    tasks.spawn(write::Writer::new(setup.clone(), ready, finisher).run());
    let (metrics, traces, budget) =
        (setup.metrics.clone(), setup.traces.clone(), setup.budget.clone());
    tasks.spawn(finish::Finisher { done, metrics, traces, budget }.run());
    sender
}
