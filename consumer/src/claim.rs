//! The right to write one partition, as long as nobody else takes it over.

use std::fmt;

/// Names one takeover within this process, so that messages about an older one can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimId(pub u64);

/// What a takeover gave: the fence's token and where to go on.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which takeover.
    pub id: ClaimId,
    /// The partition.
    pub partition: i32,
    /// The stream row's epoch; every batch presents it.
    pub epoch: i64,
    /// The first offset not yet accounted for.
    pub next_offset: i64,
    /// The record before, where the log still has it; it is read again to see that the topic is the same.
    pub last: Option<LastRecord>,
}

impl Claim {
    /// Where to start fetching.
    pub fn fetch_from(&self) -> i64 {
        self.last.as_ref().map_or(self.next_offset, |last| last.offset)
    }
}

/// What identifies the last record that was accounted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRecord {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// SHA-256 of its value (of nothing for a tombstone).
    pub digest: [u8; 32],
}

/// Why a partition is no longer read until an operator decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    /// The short name in metrics.
    pub reason: HaltReason,
    /// What was found and what can be done.
    pub text: String,
}

/// The kinds of [`Halt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HaltReason {
    /// The log no longer has offsets that were never accounted for.
    Truncated,
    /// The topic is not the one that was read before.
    Recreated,
    /// A record came with an offset that was accounted for already.
    OffsetWentBack,
    /// The ledger refused the account of a batch: a fault of this program.
    LedgerRefused,
    /// So many records would become dead letters that rather the deployment is wrong.
    TooManyDeadLetters,
}

impl HaltReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::Truncated,
        Self::Recreated,
        Self::OffsetWentBack,
        Self::LedgerRefused,
        Self::TooManyDeadLetters,
    ];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Recreated => "recreated",
            Self::OffsetWentBack => "offset_went_back",
            Self::LedgerRefused => "ledger_refused",
            Self::TooManyDeadLetters => "too_many_dead_letters",
        }
    }
}

impl fmt::Display for HaltReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
