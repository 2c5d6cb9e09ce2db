//! The end of a stream's process: when, and in what order.

use std::time::Duration;

use anyhow::bail;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::source::{Command, Commands, Source};

/// How long lanes may take to write what they have when the process is to stop, and how long the source may take
/// to leave the group after that. Together below the 20 seconds that a shutdown may take.
const FINISH_WRITING: Duration = Duration::from_secs(12);
const LEAVE_GROUP: Duration = Duration::from_secs(5);

/// Waits until all is read that is to be, or until the process is told to stop: then the lanes write what was received,
/// and the source leaves the group.
///
/// # Errors
/// The source or a lane ended by itself: going on would leave partitions unread without anyone noticing.
pub(super) async fn at_the_end(
    shutdown: &CancellationToken,
    commands: &Commands,
    source: Source,
    mut lanes: JoinSet<()>,
    give_up: &CancellationToken,
) -> anyhow::Result<()> {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = source.ended() => return source.join(),
        lane = lanes.join_next() => match lane {
            // Nothing more can come: the source is about to say why.
            Some(Ok(())) => {
                source.ended().await;
                return source.join();
            }
            _ => bail!("a lane has ended by itself: this is a fault of the program"),
        },
    }
    info!("stopping: writing what was received");
    // Should the source end meanwhile, its result tells.
    let _ = commands.send(Command::Drain);
    let written = async { while lanes.join_next().await.is_some() {} };
    if tokio::time::timeout(FINISH_WRITING, written).await.is_err() {
        give_up.cancel();
        while lanes.join_next().await.is_some() {}
    }
    let _ = commands.send(Command::Close);
    if tokio::time::timeout(LEAVE_GROUP, source.ended()).await.is_err() {
        // Everything is committed, and the group notices by itself when the brokers are back.
        warn!("the brokers do not let go of the group in time: leaving without their answer");
        return Ok(());
    }
    source.join()
}
