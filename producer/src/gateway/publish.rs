//! One event: from the request to its acknowledgement.

use std::borrow::Cow;

use audit_producer::{Acknowledged, Identity, Publish, PublishError, Record};
use audit_schema::problem::Code;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode, header};

use super::problem::Problem;
use super::routes::Gateway;
use super::{idempotency, trace};

/// Answers 201 if, and only if, Kafka has acknowledged the event.
///
/// When the client goes away this stops; an event that already has its place in the queue is published all the same.
pub(super) async fn publish<P: Publish>(
    State(gateway): State<Gateway<P>>,
    request: Request,
) -> Result<(StatusCode, Json<Acknowledged>), Problem> {
    let _slot = gateway.slots.try_acquire().map_err(|_| Problem::too_many_requests())?;
    require_json(request.headers())?;
    let key = idempotency::key(request.headers())?.map(Cow::into_owned);
    let traceparent =
        request.headers().get("traceparent").and_then(|value| value.to_str().ok()?.parse().ok());
    let body = body(request, &gateway).await?;

    let identity = key.as_deref().map_or(Identity::Content, Identity::Key);
    let mut record =
        Record::from_json(&body, identity, &gateway.source).map_err(|rejection| match rejection
            .code
        {
            Code::TooLarge => Problem::too_large(),
            _ => Problem::invalid_event(&rejection),
        })?;
    drop(body);
    if let Some(traceparent) = traceparent {
        record = record.with_traceparent(&traceparent);
    }
    let acknowledged = acknowledge(&gateway, record).await?;
    Ok((StatusCode::CREATED, Json(acknowledged)))
}

async fn acknowledge<P: Publish>(
    gateway: &Gateway<P>,
    record: Record,
) -> Result<Acknowledged, Problem> {
    let id = record.id();
    let (span, record) = match &gateway.sends {
        Some(sends) => {
            let (span, record) = sends.begin(record);
            (Some(span), record)
        }
        None => (None, record),
    };
    let result = match gateway.publisher.try_publish(record) {
        Ok(receipt) => receipt.await,
        Err(error) => Err(error),
    };
    if let Some(span) = span {
        trace::sent(span, &result);
    }
    match &result {
        Ok(_) => gateway.health.set_condition("kafka", None),
        // Says something of this gateway, nothing of Kafka.
        Err(PublishError::QueueFull | PublishError::Closed | PublishError::Invalid(_)) => {}
        Err(error) => gateway.health.set_condition("kafka", Some(error.to_string())),
    }
    result.map_err(|error| {
        tracing::debug!(%id, %error, "not acknowledged");
        Problem::not_acknowledged(&error)
    })
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let value =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Problem::unsupported_media_type())
    }
}

async fn body<P>(request: Request, gateway: &Gateway<P>) -> Result<Bytes, Problem> {
    let arriving = Bytes::from_request(request, &());
    match tokio::time::timeout(gateway.limits.body_timeout, arriving).await {
        Err(_) => Err(Problem::body_timeout()),
        Ok(Err(BytesRejection::FailedToBufferBody(error)))
            if error.status() == StatusCode::PAYLOAD_TOO_LARGE =>
        {
            Err(Problem::too_large())
        }
        // Most often the client is gone and nobody reads this.
        Ok(Err(_)) => Err(Problem::broken_body()),
        Ok(Ok(body)) => Ok(body),
    }
}
