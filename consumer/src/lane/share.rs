//! Halts a partition of which too much would become dead letters: rather than its records, this deployment is wrong.

use std::collections::HashMap;

use crate::batch::{Batch, DeadLetter, Span};
use crate::claim::{ClaimId, Halt, HaltReason};

/// How many of so many offsets in a row may be dead letters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareLimit {
    /// From 0 to 1; at 1 there is no limit.
    pub share: f64,
    /// Offsets in a row.
    pub window: u32,
}

/// The partitions' latest dead letters, as far as they matter to the limit.
///
/// Each partition has a window of its own, which begins anew with each claim: so whether it halts is decided by its
/// records alone, and not by what else this process happens to read.
pub(super) struct Recent {
    limit: ShareLimit,
    partitions: HashMap<i32, (ClaimId, Vec<i64>)>,
}

impl ShareLimit {
    /// Dead letters that one window may have.
    fn most(self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most the window, and not negative"
        )]
        let most = (self.share * f64::from(self.window)).floor() as usize;
        most
    }

    /// Whether a window somewhere in these ascending offsets of dead letters has too many.
    fn is_broken_by(self, dead: &[i64]) -> bool {
        let most = self.most();
        dead.windows(most + 1).any(|run| run[most] - run[0] < i64::from(self.window))
    }
}

impl Recent {
    pub(super) fn new(limit: ShareLimit) -> Self {
        Self { limit, partitions: HashMap::new() }
    }

    /// The claims whose partitions this batch would bring above the limit.
    pub(super) fn too_many(&self, batch: &Batch) -> Vec<(i32, ClaimId, Halt)> {
        let mut broken = Vec::new();
        for (at, span) in batch.spans.iter().enumerate() {
            let letters: Vec<&DeadLetter> =
                batch.dead_letters.iter().filter(|letter| letter.span == at).collect();
            let Some(first) = letters.first() else { continue };
            if !self.limit.is_broken_by(&self.with(batch, at)) {
                continue;
            }
            let ShareLimit { window, .. } = self.limit;
            let text = format!(
                "more than {} of {window} records in a row would become dead letters; in offsets {} to {}, which are not \
                 written, {} would, such as offset {} ({}: {}). If this deployment is wrong, start the right one; to let \
                 them through, start again with a higher --dead-letter-limit, or off",
                self.limit.most(),
                span.first_offset,
                span.last_offset,
                letters.len(),
                batch.raw(first.place).offset(),
                first.code,
                first.text
            );
            let halt = Halt { reason: HaltReason::TooManyDeadLetters, text };
            broken.push((span.partition, span.claim, halt));
        }
        broken
    }

    /// Takes note of a batch's dead letters.
    pub(super) fn committed(&mut self, batch: &Batch) {
        for (at, span) in batch.spans.iter().enumerate() {
            let mut dead = self.with(batch, at);
            let old = dead.len().saturating_sub(self.limit.most());
            dead.drain(..old);
            self.partitions.insert(span.partition, (span.claim, dead));
        }
    }

    /// The offsets of the dead letters before a span of the batch, and in it.
    fn with(&self, batch: &Batch, span: usize) -> Vec<i64> {
        let Span { partition, claim, .. } = &batch.spans[span];
        let known = self.partitions.get(partition).filter(|(known, _)| known == claim);
        let mut dead = known.map_or_else(Vec::new, |(_, offsets)| offsets.clone());
        let letters = batch.dead_letters.iter().filter(|letter| letter.span == span);
        dead.extend(letters.map(|letter| batch.raw(letter.place).offset()));
        // Those that the database refused come last.
        dead.sort_unstable();
        dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(share: f64, window: u32, dead: &[i64]) -> bool {
        ShareLimit { share, window }.is_broken_by(dead)
    }

    #[test]
    fn a_window_may_have_its_share_and_no_more() {
        let half: Vec<i64> = (0..500).collect();
        assert!(!broken(0.5, 1000, &half));
        assert!(broken(0.5, 1000, &[&half[..], &[999]].concat()));
        assert!(
            !broken(0.5, 1000, &[&half[..], &[1000]].concat()),
            "the first is out of the window"
        );
        let every_other: Vec<i64> = (0..5000).step_by(2).collect();
        assert!(!broken(0.5, 1000, &every_other));
        assert!(broken(0.499, 1000, &every_other));
    }

    #[test]
    fn all_or_none() {
        let all: Vec<i64> = (0..5000).collect();
        assert!(!broken(1.0, 1000, &all));
        assert!(!broken(1.0, 1, &all));
        assert!(broken(0.0, 1, &all[..1]));
        assert!(!broken(0.0, 1, &[]));
    }
}
