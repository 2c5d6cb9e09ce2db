//! Why a batch was not written, which decides what happens next.

use std::time::Duration;

use audit_schema::version::Version;
use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::claim::ClaimId;
use crate::database::{describe, describe_pool, sqlstate};

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// These claims are void: another consumer has taken their partitions over, or the position has moved.
    #[error("fenced")]
    Fenced(Vec<ClaimId>),
    /// A row was refused for what it holds; [`isolate`](super::Store::isolate) finds which.
    #[error("{}", describe(.0))]
    Data(Error),
    /// The ledger's arithmetic does not hold: a fault of this program.
    #[error("{}", describe(.0))]
    Ledger(Error),
    /// The ledger row that should be extended does not end where the stream stands.
    #[error("the ledger does not reach the stream's position: was it changed by hand?")]
    LedgerBroken,
    /// A row that was just there is gone: somebody moved or dropped it meanwhile.
    #[error("a row moved while it was being locked")]
    Moved,
    /// These dead letters are not open any more: somebody else has resolved them meanwhile.
    #[error("dead letters were resolved meanwhile")]
    Resolved(Vec<Version>),
    /// Anything else the database or the way to it has; tried again for as long as it takes.
    #[error("{}", describe(.0))]
    Database(Error),
    /// The server did not answer for so long that the connection is given up.
    #[error("no answer from the database in {0:?}")]
    TimedOut(Duration),
    /// No connection.
    #[error("no connection: {}", describe_pool(.0))]
    Pool(#[from] PoolError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl Failure {
    /// For statements on the event tables: classes 22 (data), 23 (constraint) and 54 (limit) are about a row.
    pub(super) fn on_rows(error: Error) -> Self {
        match sqlstate(&error).and_then(|code| code.get(..2)) {
            Some("22" | "23" | "54") => Self::Data(error),
            _ => error.into(),
        }
    }

    /// For the ledger and the stream's row.
    pub(super) fn on_ledger(error: Error) -> Self {
        if error.code() == Some(&SqlState::CHECK_VIOLATION) {
            Self::Ledger(error)
        } else {
            error.into()
        }
    }

    /// The SQLSTATE, where the server gave one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Data(error) | Self::Ledger(error) | Self::Database(error) => sqlstate(error),
            Self::Pool(PoolError::Backend(error)) => sqlstate(error),
            _ => None,
        }
    }
}
