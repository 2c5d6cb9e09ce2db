//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// How often a condition is looked at. Short enough not to matter in a test's running time.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Calls `probe` until it succeeds and returns what it found.
///
/// An `Err` of the probe means "not yet" and says what was seen instead; the last one becomes part
/// of the error when `limit` has passed. A probe that hangs is given up at the same moment.
///
/// # Errors
/// `limit` passed without a success.
pub async fn eventually<T, P>(limit: Duration, what: &str, mut probe: P) -> Result<T>
where
    P: AsyncFnMut() -> Result<T>,
{
    let started = Instant::now();
    let mut last_seen = anyhow!("nothing: the first look did not return");
    while let Some(left) = limit.checked_sub(started.elapsed()) {
        match tokio::time::timeout(left, probe()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(not_yet)) => last_seen = not_yet,
            Err(_hung) => break,
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Err(last_seen.context(format!("waited {limit:?} for {what}; last seen")))
}
