//! What a client is told when it is not 201: problem details (RFC 9457).

use audit_producer::PublishError;
use audit_schema::problem::Rejection;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::batch::MAX_BATCH_EVENTS;
use super::routes::{BATCH, EVENT};

/// RFC 9457's type of an answer that is a problem.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// Seconds after which a queue or a gateway that is full may have places again.
const SOON: u64 = 1;
/// Seconds after which Kafka may be back.
const LATER: u64 = 5;

/// One answer in `application/problem+json`. `type` and each error's `code` are stable.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The kind of problem.
    #[serde(rename = "type")]
    #[schema(pattern = "^urn:kubernaut-audit:problem:[a-z-]+$")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The status code.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong, and what to do about it.
    detail: String,
    /// Each field or header that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after: Option<u64>,
}

/// What is wrong with one field; an empty `field` is the event as a whole.
#[derive(Debug, Serialize, ToSchema)]
struct FieldError {
    /// Such as `step_executions[3].duration`.
    field: String,
    /// What is wrong with it.
    detail: String,
    /// The same for programs.
    code: &'static str,
}

impl Problem {
    fn new(status: StatusCode, name: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:kubernaut-audit:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    fn retry_in(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Seconds after which another try may succeed.
    pub(super) fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// What its texts take, in bytes.
    pub(super) fn size(&self) -> usize {
        let errors = self.errors.iter().map(|error| error.field.len() + error.detail.len());
        self.detail.len() + errors.sum::<usize>()
    }

    /// The same problem in few words.
    pub(super) fn without_details(self) -> Self {
        let detail = "this answer has no room for more details: send the event alone to see them";
        Self { detail: detail.to_owned(), errors: Vec::new(), ..self }
    }

    pub(super) fn invalid_event(rejection: &Rejection) -> Self {
        let errors = rejection.problems.iter().map(|problem| FieldError {
            field: problem.path.clone(),
            detail: problem.message.clone(),
            code: problem.code.as_str(),
        });
        let title = "The event is not valid";
        Self {
            errors: errors.collect(),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid-event", title, rejection.to_string())
        }
    }

    pub(super) fn invalid_header(name: &str, what: &str) -> Self {
        let error =
            FieldError { field: name.to_owned(), detail: what.to_owned(), code: "invalid_header" };
        let detail = format!("{name} {what}");
        Self {
            errors: vec![error],
            ..Self::new(StatusCode::BAD_REQUEST, "invalid-header", "A header is not valid", detail)
        }
    }

    pub(super) fn broken_body() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "broken-body",
            "The body did not arrive",
            "the body ended before it was whole",
        )
    }

    pub(super) fn body_timeout() -> Self {
        let title = "The body did not arrive in time";
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "body-timeout",
            title,
            "send the whole body without a pause",
        )
    }

    pub(super) fn too_large() -> Self {
        let detail = "an event is at most 1 MiB (1048576 bytes), its id included";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The event is too large", detail)
    }

    pub(super) fn batch_too_large() -> Self {
        let detail = "a batch is at most 16 MiB (16777216 bytes): send it in parts";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The batch is too large", detail)
    }

    pub(super) fn too_many_events() -> Self {
        let detail = format!("a batch has at most {MAX_BATCH_EVENTS} events: send it in parts");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The batch is too large", detail)
    }

    /// `index` is that of the first event that could not be read.
    pub(super) fn broken_batch(index: usize, error: &serde_json::Error) -> Self {
        let detail = format!(
            "the body must be one JSON array of events; at event {index}: {error}; nothing of it was published"
        );
        Self::new(StatusCode::BAD_REQUEST, "invalid-batch", "The batch cannot be read", detail)
    }

    pub(super) fn empty_batch() -> Self {
        let detail = "there is no event in the body";
        Self::new(StatusCode::BAD_REQUEST, "empty-batch", "The batch is empty", detail)
    }

    /// `accepted` says which types there are instead.
    pub(super) fn unsupported_media_type(accepted: &str) -> Self {
        let title = "The body is not of a type that is taken here";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            title,
            format!("send Content-Type: {accepted}"),
        )
    }

    pub(super) fn unauthenticated(why: &str) -> Self {
        let detail = format!("{why}; send Authorization: Bearer TOKEN");
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Authentication is needed", detail)
    }

    pub(super) fn disabled(caller: &str) -> Self {
        let detail = format!("an operator of this gateway has disabled this token of {caller}");
        Self::new(StatusCode::FORBIDDEN, "disabled", "The caller is disabled", detail)
    }

    pub(super) fn not_found(uri: &Uri) -> Self {
        let detail = format!("there is nothing at {}; events go to {EVENT} or {BATCH}", uri.path());
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    pub(super) fn method_not_allowed(method: &Method, uri: &Uri) -> Self {
        let detail = format!("{} does not take {method}", uri.path());
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "Method not allowed",
            detail,
        )
    }

    pub(super) fn too_many_requests() -> Self {
        let detail = "as many requests are under way as this gateway takes at once";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests", detail)
            .retry_in(SOON)
    }

    /// The event is not known to be kept.
    pub(super) fn not_acknowledged(error: &PublishError) -> Self {
        let detail =
            format!("{error}; send the event again: it is stored once however often it is sent");
        let unavailable =
            |name, title| Self::new(StatusCode::SERVICE_UNAVAILABLE, name, title, detail.clone());
        match error {
            PublishError::Invalid(rejection) => Self::invalid_event(rejection),
            PublishError::QueueFull => {
                unavailable("queue-full", "The queue is full").retry_in(SOON)
            }
            PublishError::Deadline => {
                unavailable("not-acknowledged", "Kafka did not answer in time").retry_in(LATER)
            }
            PublishError::Closed => {
                unavailable("stopping", "This gateway is stopping").retry_in(SOON)
            }
            error if error.is_retriable() => {
                unavailable("not-acknowledged", "Kafka does not take events now").retry_in(LATER)
            }
            error => {
                let title = "Kafka does not take this event";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "refused", title, error.to_string())
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).expect("strings and numbers can be written as JSON");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
