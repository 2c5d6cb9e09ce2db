//! Many events at once: from the request to what became of each.
//!
//! ```text
//!  body ─► split ─► queue ─────────────────► answer
//!          events   each as soon as there    201, or 207 with a result for each
//!                   is a place for it
//! ```

mod answer;
mod split;

use std::sync::Arc;

use audit_producer::{Identity, Publish, PublishError, Receipt};
use audit_runtime::telemetry::Span;
use audit_schema::topic::MAX_EVENT_BYTES;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use tokio::time::{Instant, timeout_at};

pub(super) use self::answer::BatchAnswer;
use self::answer::Details;
use self::split::{Format, Item};
use super::auth::Source;
use super::event;
use super::openapi::{self, Refusals};
use super::problem::Problem;
use super::request::{self, Context};
use super::routes::{BATCH, Gateway};

/// Largest body of a batch, in bytes.
pub(super) const MAX_BATCH_BYTES: usize = 16 * MAX_EVENT_BYTES;

/// Most events of a batch. As many as fit 16 MiB with 256 bytes each, so that what is kept for each of them, and the
/// answer, is not much larger than the body may be.
pub(super) const MAX_BATCH_EVENTS: usize = 65_536;

/// A batch takes a slot for each of so many bytes, as a request with one event takes one.
const SLOT_BYTES: usize = MAX_EVENT_BYTES;

/// And at least one for each of so many events: what tiny ones cost is what is kept for each.
const SLOT_EVENTS: usize = MAX_BATCH_EVENTS / (MAX_BATCH_BYTES / SLOT_BYTES);

/// Events of a batch that have a span of their own; the others go on in the span of their request.
const MAX_SPANS: usize = 128;

/// What is kept of an event while it is under way.
struct Queued {
    line: Option<usize>,
    receipt: Result<(Option<Span>, Receipt), Problem>,
}

/// Publishes many events
///
/// 201 if, and only if, all in-sync replicas have every event; else 207. Events do not wait for one another, and an
/// invalid one does not touch the others. An event without an id gets the one that its content means. With an
/// `Idempotency-Key` it gets the one that the key and its place in the batch mean: then repeat the whole batch, in the
/// same order.
// When the client goes away this stops; events that already have a place in the queue are published all the same.
#[utoipa::path(
    post,
    path = BATCH,
    tag = "events",
    operation_id = "publishBatch",
    params(Context),
    request_body(
        description = "From 1 to 65536 events, 16 MiB in all, each up to 1 MiB",
        content(
            (
                ref("#/components/schemas/Events") = "application/json",
                example = json!([openapi::sparse_event(), openapi::full_event()]),
            ),
            (
                ref("#/components/schemas/Lines") = "application/x-ndjson",
                example = json!(openapi::lines()),
            ),
            (
                ref("#/components/schemas/Lines") = "application/jsonl",
                example = json!(openapi::lines()),
            ),
            (
                ref("#/components/schemas/Lines") = "application/x-jsonlines",
                example = json!(openapi::lines()),
            ),
        ),
    ),
    responses(
        (status = 201, description = "All events are acknowledged", body = BatchAnswer),
        (
            status = 207,
            description = "At least one event is not acknowledged: see `results`",
            body = BatchAnswer,
            headers(("Retry-After" = u64, description = "Seconds to wait, if another try may help any of them")),
        ),
        Refusals,
    ),
)]
pub(super) async fn publish<P: Publish>(
    State(gateway): State<Arc<Gateway<P>>>,
    Extension(Source(source)): Extension<Source>,
    request: Request,
) -> Result<BatchAnswer, Problem> {
    let mut slots = gateway.slots.take(expected_size(request.headers()).div_ceil(SLOT_BYTES))?;
    let format = Format::of(&request::media_type(request.headers()))?;
    let context = Context::read(request.headers())?;
    let body =
        request::body(request, gateway.limits.body_timeout, Problem::batch_too_large).await?;

    let mut details = Details::for_body(body.len());
    let queued = {
        let items = split::split(format, &body)?;
        slots.grow_to(items.len().div_ceil(SLOT_EVENTS))?;
        queue(&gateway, &source, &items, &context, &mut details).await
    };
    drop(body);

    let mut answer = BatchAnswer::with_room_for(queued.len());
    // One after the other is as good as all at once: each receipt has its own deadline, and resolves unasked.
    for Queued { line, receipt } in queued {
        let result = match receipt {
            Ok((span, receipt)) => event::acknowledge(&gateway, span, receipt)
                .await
                .map_err(|problem| details.bound(problem)),
            Err(problem) => Err(problem),
        };
        answer.push(line, result);
    }
    Ok(answer)
}

/// The size of the body as far as the head tells: without a length it may be the largest.
fn expected_size(headers: &HeaderMap) -> usize {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    length.unwrap_or(MAX_BATCH_BYTES).clamp(1, MAX_BATCH_BYTES)
}

/// Publishes every event that is valid, in order, without waiting for any acknowledgement. If the queue is full the rest
/// waits for places until the deadline; then what finds none is given up.
async fn queue<P: Publish>(
    gateway: &Gateway<P>,
    source: &str,
    items: &[Item<'_>],
    context: &Context,
    details: &mut Details,
) -> Vec<Queued> {
    let deadline = Instant::now() + gateway.deadline;
    let mut queued = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let key = context.key.as_deref().map(|key| key_of_event(key, index));
        let identity = key.as_deref().map_or(Identity::Content, Identity::Key);
        let trace = context.traceparent.as_ref();
        let receipt = match event::record(item.json, identity, source, trace) {
            Ok(record) => {
                let id = record.id();
                let traced = index < MAX_SPANS;
                let (span, record) =
                    if traced { event::begin(gateway, record) } else { (None, record) };
                let place = timeout_at(deadline, gateway.publisher.publish(record)).await;
                match place.unwrap_or(Err(PublishError::QueueFull)) {
                    Ok(receipt) => Ok((span, receipt)),
                    Err(error) => Err(event::not_acknowledged(gateway, span, id, &error)),
                }
            }
            Err(problem) => Err(problem),
        };
        let receipt = receipt.map_err(|problem| details.bound(problem));
        queued.push(Queued { line: item.line, receipt });
        // Events that are refused wait for nothing, and other requests shall have their turn.
        tokio::task::consume_budget().await;
    }
    queued
}

/// The key of one event. No header can hold a line break, so it is no other request's key.
fn key_of_event(key: &str, index: usize) -> String {
    format!("{key}\n{index}")
}
