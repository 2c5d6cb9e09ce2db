//! What every route reads of a request before it looks at events.

use std::borrow::Cow;
use std::time::Duration;

use audit_producer::TraceParent;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};

use super::idempotency;
use super::problem::Problem;

/// What the headers say of all events of a request.
#[derive(Debug)]
pub(super) struct Context {
    /// The `Idempotency-Key`.
    pub(super) key: Option<String>,
    pub(super) traceparent: Option<TraceParent>,
}

impl Context {
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let traceparent = headers.get("traceparent");
        Ok(Self {
            key: idempotency::key(headers)?.map(Cow::into_owned),
            traceparent: traceparent.and_then(|value| value.to_str().ok()?.parse().ok()),
        })
    }
}

/// The type of the body in lower case, without parameters; empty if there is none.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    media_type.trim().to_ascii_lowercase()
}

/// The whole body, within the time and up to the limit of the route; `too_large` says what that is.
pub(super) async fn body(
    request: Request,
    timeout: Duration,
    too_large: fn() -> Problem,
) -> Result<Bytes, Problem> {
    let arriving = Bytes::from_request(request, &());
    match tokio::time::timeout(timeout, arriving).await {
        Err(_) => Err(Problem::body_timeout()),
        Ok(Err(BytesRejection::FailedToBufferBody(error)))
            if error.status() == StatusCode::PAYLOAD_TOO_LARGE =>
        {
            Err(too_large())
        }
        // Most often the client is gone and nobody reads this.
        Ok(Err(_)) => Err(Problem::broken_body()),
        Ok(Ok(body)) => Ok(body),
    }
}
