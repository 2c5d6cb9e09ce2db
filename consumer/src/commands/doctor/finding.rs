//! What a check found.

use serde::Serialize;

use crate::database::describe;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// As it should be.
    Good,
    /// Works, and should not stay so.
    Warning,
    /// Does not work, or loses what is promised.
    Bad,
    /// Could not be looked at, since something else is bad.
    Skipped,
}

/// One line of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: String,
    pub(super) status: Status,
    pub(super) found: String,
    /// How to mend it; none where it is good.
    pub(super) advice: Option<String>,
}

impl Finding {
    pub(super) fn good(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self { check: check.into(), status: Status::Good, found: found.into(), advice: None }
    }

    pub(super) fn warning(
        check: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let (check, found, advice) = (check.into(), found.into(), Some(advice.into()));
        Self { check, status: Status::Warning, found, advice }
    }

    pub(super) fn bad(
        check: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { status: Status::Bad, ..Self::warning(check, found, advice) }
    }

    pub(super) fn skipped(check: impl Into<String>, why: &str) -> Self {
        Self { status: Status::Skipped, ..Self::good(check, why) }
    }

    /// Bad, from a message of ours: what is wrong and, after a semicolon, what to do; else the advice given here.
    pub(super) fn told(check: impl Into<String>, message: &str, otherwise: &str) -> Self {
        let (found, advice) = message.split_once("; ").unwrap_or((message, otherwise));
        Self::bad(check, found, advice)
    }

    /// The same for a question that the database did not answer.
    pub(super) fn unanswered(check: impl Into<String>, error: &tokio_postgres::Error) -> Self {
        Self::told(check, &describe(error), "look at the server's log")
    }
}
