//! One event: from its JSON to a record, from Kafka's answer to ours.

use audit_producer::{Acknowledged, Identity, Publish, PublishError, Receipt, Record, TraceParent};
use audit_runtime::telemetry::Span;
use audit_schema::problem::Code;
use uuid::Uuid;

use super::problem::Problem;
use super::routes::Gateway;
use super::trace;

/// The record of a valid event.
pub(super) fn record(
    json: &[u8],
    identity: Identity<'_>,
    source: &str,
    traceparent: Option<&TraceParent>,
) -> Result<Record, Problem> {
    let record =
        Record::from_json(json, identity, source).map_err(|rejection| match rejection.code {
            Code::TooLarge => Problem::too_large(),
            _ => Problem::invalid_event(&rejection),
        })?;
    Ok(match traceparent {
        Some(traceparent) => record.with_traceparent(traceparent),
        None => record,
    })
}

/// Begins the span of an event, if there are traces, and puts it into the record.
pub(super) fn begin<P>(gateway: &Gateway<P>, record: Record) -> (Option<Span>, Record) {
    match &gateway.sends {
        Some(sends) => {
            let (span, record) = sends.begin(record);
            (Some(span), record)
        }
        None => (None, record),
    }
}

/// Waits until Kafka has acknowledged the event, or is known not to in time.
pub(super) async fn acknowledge<P: Publish>(
    gateway: &Gateway<P>,
    span: Option<Span>,
    receipt: Receipt,
) -> Result<Acknowledged, Problem> {
    let id = receipt.id();
    match receipt.await {
        Ok(at) => {
            trace::sent(span, Ok(&at));
            gateway.health.set_condition("kafka", None);
            Ok(at)
        }
        Err(error) => Err(not_acknowledged(gateway, span, id, &error)),
    }
}

/// What the sender is told, and what operators can see of Kafka by it.
pub(super) fn not_acknowledged<P: Publish>(
    gateway: &Gateway<P>,
    span: Option<Span>,
    id: Uuid,
    error: &PublishError,
) -> Problem {
    trace::sent(span, Err(error));
    // A full queue says something of this gateway, nothing of Kafka.
    if !matches!(error, PublishError::QueueFull | PublishError::Closed | PublishError::Invalid(_)) {
        gateway.health.set_condition("kafka", Some(error.to_string()));
    }
    tracing::debug!(%id, %error, "not acknowledged");
    Problem::not_acknowledged(error)
}
