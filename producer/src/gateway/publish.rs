//! One event: from the request to its acknowledgement.

use std::sync::Arc;

use audit_producer::{Acknowledged, Identity, Publish};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};

use super::auth::Source;
use super::event;
use super::openapi::{self, Refusals, Unavailable};
use super::problem::Problem;
use super::request::{self, Context};
use super::routes::{EVENT, Gateway};

/// Publishes one event
///
/// 201 if, and only if, all in-sync replicas have the event. It may be sent any number of times: one without an id gets
/// the one that its `Idempotency-Key`, else its content means.
// When the client goes away this stops; an event that already has its place in the queue is published all the same.
#[utoipa::path(
    post,
    path = EVENT,
    tag = "events",
    operation_id = "publishEvent",
    params(Context),
    request_body(
        description = "The event, up to 1 MiB with its id",
        content((
            ref("#/components/schemas/WorkflowExecutionAudit") = "application/json",
            examples(
                ("sparse" = (summary = "What Go sends of a workflow", value = json!(openapi::sparse_event()))),
                ("full" = (summary = "One of which everything is known", value = json!(openapi::full_event()))),
            ),
        )),
    ),
    responses(
        (status = 201, description = "The event is acknowledged", body = Acknowledged),
        Refusals,
        Unavailable,
    ),
)]
pub(super) async fn publish<P: Publish>(
    State(gateway): State<Arc<Gateway<P>>>,
    Extension(Source(source)): Extension<Source>,
    request: Request,
) -> Result<(StatusCode, Json<Acknowledged>), Problem> {
    let _slot = gateway.slots.take(1)?;
    if request::media_type(request.headers()) != "application/json" {
        return Err(Problem::unsupported_media_type("application/json"));
    }
    let Context { key, traceparent } = Context::read(request.headers())?;
    let body = request::body(request, gateway.limits.body_timeout, Problem::too_large).await?;

    let identity = key.as_deref().map_or(Identity::Content, Identity::Key);
    let record = event::record(&body, identity, &source, traceparent.as_ref())?;
    drop(body);
    let id = record.id();
    let (span, record) = event::begin(&gateway, record);
    let acknowledged = match gateway.publisher.try_publish(record) {
        Ok(receipt) => event::acknowledge(&gateway, span, receipt).await?,
        Err(error) => return Err(event::not_acknowledged(&gateway, span, id, &error)),
    };
    Ok((StatusCode::CREATED, Json(acknowledged)))
}
