//! Finds offsets at the end of a partition that hold no record: transaction markers and aborted records.
//!
//! librdkafka skips them silently, and when nothing follows no record shows that they were passed. Its
//! statistics do: the next offset it will fetch, with nothing left in the queue before it. One snapshot is taken
//! from several threads' counters, so two equal ones in a row are asked for, with no record in between.

/// One partition's statistics of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The next offset to fetch.
    pub(super) next_offset: i64,
    /// Records fetched and not yet handed over.
    pub(super) queued: i64,
}

/// Watches the tail of one partition.
#[derive(Debug)]
pub(super) struct Tail {
    trusted: bool,
    before: Option<Snapshot>,
}

impl Tail {
    /// Watches a partition from its claim on. `read_before` says that this client has read it under another claim:
    /// then the statistics may still show how far that went, until the first record proves that fetching began anew.
    pub(super) fn new(read_before: bool) -> Self {
        Self { trusted: !read_before, before: None }
    }

    /// A record was handed over: what was seen before means nothing now.
    pub(super) fn record(&mut self) {
        self.trusted = true;
        self.before = None;
    }

    /// Takes a snapshot; gives the last offset of a gap that begins at `next`, if there surely is one.
    pub(super) fn snapshot(&mut self, now: Snapshot, next: i64) -> Option<i64> {
        let settled = self.trusted && now.queued == 0 && self.before == Some(now);
        self.before = Some(now);
        (settled && now.next_offset > next).then(|| now.next_offset - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAINED: Snapshot = Snapshot { next_offset: 12, queued: 0 };

    #[test]
    fn two_equal_drained_snapshots_show_a_gap() {
        let mut tail = Tail::new(false);
        assert_eq!(tail.snapshot(DRAINED, 10), None);
        assert_eq!(tail.snapshot(DRAINED, 10), Some(11));
    }

    #[test]
    fn a_record_in_between_or_in_the_queue_means_wait() {
        let mut tail = Tail::new(false);
        tail.snapshot(DRAINED, 10);
        tail.record();
        assert_eq!(tail.snapshot(DRAINED, 11), None);
        let queued = Snapshot { queued: 1, ..DRAINED };
        assert_eq!(tail.snapshot(queued, 11), None);
        assert_eq!(tail.snapshot(queued, 11), None);
    }

    #[test]
    fn no_gap_where_fetching_goes_on_at_the_next_record() {
        let mut tail = Tail::new(false);
        tail.snapshot(DRAINED, 12);
        assert_eq!(tail.snapshot(DRAINED, 12), None);
    }

    #[test]
    fn statistics_of_an_earlier_claim_are_not_believed() {
        let mut tail = Tail::new(true);
        tail.snapshot(DRAINED, 5);
        assert_eq!(tail.snapshot(DRAINED, 5), None);
        tail.record();
        tail.snapshot(DRAINED, 6);
        assert_eq!(tail.snapshot(DRAINED, 6), Some(11));
    }
}
