//! Places for connections: as many as asked for, or as this process may have.

use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_runtime::admin::Health;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use prometheus::{IntGauge, Registry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Open files for everything else: brokers, the admin server, files that are read again.
const RESERVED: u64 = 256;

/// Connections come and go at the limit; the log is to say so, not to repeat it.
const WARN_AGAIN: Duration = Duration::from_secs(60);

/// Hands out places. More connections than there are places wait in the backlog of the socket.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    most: u64,
    open: IntGauge,
    health: Health,
    full: bool,
    warned: Option<Instant>,
}

/// Where one connection is, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    open: IntGauge,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.dec();
    }
}

impl Places {
    /// So many places, or fewer where the limit on open files is lower, so that the admin server stays reachable
    /// whatever clients do.
    pub(super) fn new(
        asked: u32,
        health: Health,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let files = raise_open_files();
        let most = affordable(asked, files);
        if most < u64::from(asked) {
            tracing::warn!(
                connections = most,
                open_files = files,
                "fewer connections than --max-connections (AUDIT_MAX_CONNECTIONS) asks for: the hard limit on open files is too low"
            );
        }
        let open = IntGauge::new("kubernaut_audit_http_connections", "Connections open now")?;
        registry.register(Box::new(open.clone()))?;
        let permits = usize::try_from(most).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Ok(Self {
            free: Arc::new(Semaphore::new(permits)),
            most,
            open,
            health,
            full: false,
            warned: None,
        })
    }

    /// Waits until a connection can be accepted.
    pub(super) async fn free(&mut self) -> OwnedSemaphorePermit {
        if let Some(permit) = self.try_free() {
            return permit;
        }
        self.full = true;
        if self.warned.is_none_or(|at| at.elapsed() > WARN_AGAIN) {
            self.warned = Some(Instant::now());
            tracing::warn!(
                connections = self.most,
                "no more connections are accepted until one ends"
            );
        }
        self.health.set_condition(
            "connections",
            Some(format!("all {} are taken; others wait until one ends", self.most)),
        );
        Arc::clone(&self.free).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// A place that is free now.
    pub(super) fn try_free(&mut self) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        if std::mem::take(&mut self.full) {
            self.health.set_condition("connections", None);
        }
        Some(permit)
    }

    /// Seats a connection that was accepted.
    pub(super) fn take(&self, permit: OwnedSemaphorePermit) -> Place {
        self.open.inc();
        Place { _permit: permit, open: self.open.clone() }
    }
}

/// Raises the limit on open files as far as it goes without privileges, and gives it.
fn raise_open_files() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return u64::MAX };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

fn affordable(asked: u32, files: u64) -> u64 {
    let left = files - RESERVED.min(files / 2);
    u64::from(asked).min(left.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_left_for_everything_else() {
        assert_eq!(affordable(16_384, u64::MAX), 16_384);
        assert_eq!(affordable(16_384, 1_024), 768);
        assert_eq!(affordable(100, 1_024), 100);
        assert_eq!(affordable(100, 64), 32);
        assert_eq!(affordable(100, 0), 1);
    }

    #[tokio::test]
    async fn a_place_is_free_again_once_its_connection_has_ended() {
        let health = Health::new();
        let mut places = Places::new(1, health.clone(), &Registry::new()).unwrap();
        let permit = places.free().await;
        let taken = places.take(permit);
        assert_eq!(places.open.get(), 1);
        assert!(places.try_free().is_none());
        let waits = tokio::time::timeout(Duration::from_millis(20), places.free());
        assert!(waits.await.is_err());
        assert!(format!("{health:?}").contains("all 1 are taken"));
        drop(taken);
        assert_eq!(places.open.get(), 0);
        assert!(places.try_free().is_some());
        assert!(!format!("{health:?}").contains("taken"));
    }
}
