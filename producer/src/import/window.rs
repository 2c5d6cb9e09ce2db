//! Events that were given to the publisher, in the order of their lines.

use std::collections::VecDeque;

use audit_producer::{PublishError, Receipt, Record};

use super::tally::Place;

/// What a record costs beside its bytes.
const OVERHEAD: usize = 1024;

/// Events up to the first that is not done with are held here, so that they can be sent again.
pub(super) struct Window {
    sent: VecDeque<Sent>,
    bytes: usize,
    /// In bytes.
    limit: usize,
}

/// One event and what is known of it.
pub(super) struct Sent {
    /// Its own line.
    pub(super) at: Place,
    pub(super) record: Record,
    pub(super) fate: Fate,
}

pub(super) enum Fate {
    Open(Receipt),
    Known(Result<(), PublishError>),
}

impl From<Result<Receipt, PublishError>> for Fate {
    fn from(sent: Result<Receipt, PublishError>) -> Self {
        match sent {
            Ok(receipt) => Self::Open(receipt),
            Err(error) => Self::Known(Err(error)),
        }
    }
}

impl Fate {
    /// What became of the event, within the publisher's deadline. Can be given up and asked for again.
    pub(super) async fn settle(&mut self) -> Result<(), PublishError> {
        let result = match self {
            Self::Open(receipt) => receipt.await.map(drop),
            Self::Known(result) => return result.clone(),
        };
        *self = Self::Known(result.clone());
        result
    }
}

impl Window {
    pub(super) fn new(limit: usize) -> Self {
        Self { sent: VecDeque::new(), bytes: 0, limit }
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes < self.limit
    }

    pub(super) fn push(&mut self, sent: Sent) {
        self.bytes += sent.cost();
        self.sent.push_back(sent);
    }

    pub(super) fn pop(&mut self) -> Option<Sent> {
        let sent = self.sent.pop_front()?;
        self.bytes -= sent.cost();
        Some(sent)
    }

    pub(super) fn front(&self) -> Option<&Sent> {
        self.sent.front()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Sent> {
        self.sent.iter_mut()
    }

    /// What became of the first event; never resolves while there is none.
    pub(super) async fn settle_front(&mut self) -> Result<(), PublishError> {
        match self.sent.front_mut() {
            Some(front) => front.fate.settle().await,
            None => std::future::pending().await,
        }
    }
}

impl Sent {
    fn cost(&self) -> usize {
        self.record.size() + OVERHEAD
    }
}
