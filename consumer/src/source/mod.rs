//! Reads the topic on a thread of its own: polls, copies records into chunks, hands them to the lanes.
//!
//! The thread never waits for the database. What the database decides (where to start, that a claim is lost)
//! reaches it as [`Command`]s.

mod assignment;
mod chunk;
mod context;
mod group_offsets;
mod rate;
mod reader;
mod shares;
mod tail;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use audit_runtime::admin::Health;
use crossbeam_channel::{Receiver, Sender};
use rdkafka::ClientConfig;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::claim::{Claim, ClaimId, Halt};
use crate::metrics::Metrics;
use crate::takeover::Takeover;

pub use chunk::{Chunk, Parts, RawRecord, UNREADABLE};
pub use rate::Rate;

/// What the rest of the process tells the source.
#[derive(Debug)]
pub enum Command {
    /// A takeover succeeded: read from here.
    Claimed(Claim),
    /// The claim is worth nothing any more, or its position is outside the log: take the partition over again.
    Lost(i32, ClaimId),
    /// Stop reading the partition until an operator decides.
    Halted(i32, ClaimId, Halt),
    /// Everything below the offset is committed under the claim.
    Committed(i32, ClaimId, i64),
    /// Say where each partition stands.
    Positions(oneshot::Sender<Vec<ReadPosition>>),
    /// Read no more and let the lanes finish; go on answering rebalances.
    Drain,
    /// Leave the group and end.
    Close,
}

/// Where the source stands in a partition that is this process's to read.
#[derive(Debug, Clone, Copy)]
pub struct ReadPosition {
    /// The partition.
    pub partition: i32,
    /// Under which claim.
    pub claim: ClaimId,
    /// The next offset to be received; none while the partition is taken over or halted.
    pub next: Option<i64>,
    /// The next offset to be committed, if known.
    pub committed: Option<i64>,
}

/// What a lane receives, in order.
#[derive(Debug)]
pub enum ToLane {
    /// Records of this claim follow.
    Claimed(Claim),
    /// Records of partitions claimed before.
    Records(Arc<Chunk>),
    /// The offsets up to and with this one hold no record.
    TailGap(i32, ClaimId, i64),
    /// No more of this partition.
    Released(i32),
    /// Nothing follows: write what there is and end.
    Stop,
}

/// The way to the source.
pub type Commands = Sender<Command>;

/// Which partitions are read, and how far.
#[derive(Debug, Clone)]
pub enum Reading {
    /// Those that the consumer group gives, for ever.
    Group,
    /// These, without being in a group.
    Ranges {
        /// The first offset of each partition that is not read. Once all before it are committed, or their partition
        /// is halted, the source ends.
        ends: BTreeMap<i32, i64>,
        /// Records a second at the most.
        rate: Option<NonZeroU32>,
    },
}

/// What the source is made of.
pub struct Setup {
    /// Client configuration.
    pub config: ClientConfig,
    /// Topic.
    pub topic: Arc<str>,
    /// What of it.
    pub reading: Reading,
    /// One way to each lane; a partition is read by the lane that had the fewest when it was claimed.
    pub lanes: Vec<mpsc::UnboundedSender<ToLane>>,
    /// Bytes that may be in flight.
    pub budget: Budget,
    /// Metrics.
    pub metrics: Metrics,
    /// Shows which partitions are halted.
    pub health: Health,
    /// How partitions are taken over.
    pub takeover: Takeover,
    /// Both ends of the command channel: takeovers answer through it.
    pub commands: (Commands, Receiver<Command>),
}

/// The running thread.
pub struct Source {
    thread: JoinHandle<anyhow::Result<()>>,
    ended: CancellationToken,
}

/// Starts the thread. It ends after [`Command::Close`] or a fatal error, and where all of [`Reading::Ranges`] is read.
///
/// # Errors
/// A property librdkafka does not accept, or no thread to be had.
pub fn start(setup: Setup) -> anyhow::Result<Source> {
    let reader = reader::Reader::new(setup)?;
    let ended = CancellationToken::new();
    let guard = ended.clone().drop_guard();
    let thread = std::thread::Builder::new()
        .name("source".into())
        .spawn(move || {
            let _ended_also_by_a_panic = guard;
            reader.run()
        })
        .context("cannot start the source thread")?;
    Ok(Source { thread, ended })
}

impl Source {
    /// Waits for the end of the thread.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// How it ended; blocks while it has not.
    ///
    /// # Errors
    /// The Kafka client failed for good, or the thread panicked.
    pub fn join(self) -> anyhow::Result<()> {
        self.thread.join().map_err(|_| anyhow::anyhow!("the source thread panicked"))?
    }
}
