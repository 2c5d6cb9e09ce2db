//! How many bytes may be on their way from delivery to commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::IntGauge;

/// Bytes received and not yet committed, against a limit. Cheap to clone.
#[derive(Clone)]
pub struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
    gauge: IntGauge,
}

impl Budget {
    /// A budget of `limit` bytes, shown in the gauge.
    pub fn new(limit: usize, gauge: IntGauge) -> Self {
        Self { used: Arc::default(), limit, gauge }
    }

    /// Counts bytes that were received.
    pub fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        self.show(bytes, 1);
    }

    /// Counts bytes that were committed or given up.
    pub fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.show(bytes, -1);
    }

    /// Whether no more should be received.
    pub fn is_spent(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= self.limit
    }

    fn show(&self, bytes: usize, sign: i64) {
        self.gauge.add(sign * i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
