//! What became of each event of a batch.

use audit_producer::Acknowledged;
use audit_schema::topic::MAX_EVENT_BYTES;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::gateway::problem::Problem;

/// The answer to a batch: a result for each event, in the order of the events.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::gateway) struct BatchAnswer {
    results: Vec<EventResult>,
}

/// What became of one event: `status` and members are those of the answer to this event alone.
#[derive(Debug, Serialize, ToSchema)]
struct EventResult {
    /// The event's place in the batch, from 0.
    index: usize,
    /// The line it is on, from 1, if there are lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(flatten)]
    disposition: Disposition,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Disposition {
    Acknowledged {
        #[schema(minimum = 201, maximum = 201)]
        status: u16,
        #[serde(flatten)]
        acknowledged: Acknowledged,
    },
    Problem(Box<Problem>),
}

impl BatchAnswer {
    pub(super) fn with_room_for(events: usize) -> Self {
        Self { results: Vec::with_capacity(events) }
    }

    /// Adds the result of the next event.
    pub(super) fn push(&mut self, line: Option<usize>, result: Result<Acknowledged, Problem>) {
        let disposition = match result {
            Ok(acknowledged) => {
                Disposition::Acknowledged { status: StatusCode::CREATED.as_u16(), acknowledged }
            }
            Err(problem) => Disposition::Problem(Box::new(problem)),
        };
        self.results.push(EventResult { index: self.results.len(), line, disposition });
    }

    fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.results.iter().filter_map(|result| match &result.disposition {
            Disposition::Acknowledged { .. } => None,
            Disposition::Problem(problem) => Some(&**problem),
        })
    }
}

impl IntoResponse for BatchAnswer {
    fn into_response(self) -> Response {
        let all = self.problems().next().is_none();
        let status = if all { StatusCode::CREATED } else { StatusCode::MULTI_STATUS };
        // Events that are worth another try share one header: the answer to a batch can only have one.
        let retry_after = self.problems().filter_map(Problem::retry_after).max();
        let mut response = (status, Json(self)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// How much the details of problems may still add to the answer, in bytes. A small event can have large problems.
#[derive(Debug)]
pub(super) struct Details {
    left: usize,
}

impl Details {
    /// As much as the slots of such a body have room for.
    pub(super) fn for_body(bytes: usize) -> Self {
        Self { left: bytes.div_ceil(MAX_EVENT_BYTES) * MAX_EVENT_BYTES }
    }

    /// The problem with its details, as long as there is room for them.
    pub(super) fn bound(&mut self, problem: Problem) -> Problem {
        match self.left.checked_sub(problem.size()) {
            Some(left) => {
                self.left = left;
                problem
            }
            None => problem.without_details(),
        }
    }
}
