//! Which path leads where, and what all of them share.

use std::sync::Arc;
use std::time::Duration;

use audit_producer::Publish;
use audit_runtime::admin::Health;
use audit_schema::topic::MAX_EVENT_BYTES;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::routing::{get, post};
use prometheus::Registry;

use super::auth::{self, Auth};
use super::batch::{self, MAX_BATCH_BYTES};
use super::limits::Limits;
use super::metrics::{self, HttpMetrics};
use super::problem::Problem;
use super::slots::Slots;
use super::trace::Sends;
use super::{openapi, publish};

/// Where one event goes.
pub(super) const EVENT: &str = "/api/v1/audit/workflow-execution";
/// Where many events go.
pub(super) const BATCH: &str = "/api/v1/audit/workflow-executions";
/// Where both are described.
pub(super) const OPENAPI: &str = "/openapi.json";

/// What handlers work with. Shared as a whole: axum clones the state several times for each request.
pub(super) struct Gateway<P> {
    pub(super) publisher: P,
    pub(super) auth: Auth,
    pub(super) limits: Limits,
    /// How long an event of a batch waits for its place in the queue; an acknowledgement has the same time again.
    pub(super) deadline: Duration,
    pub(super) slots: Slots,
    pub(super) health: Health,
    pub(super) metrics: HttpMetrics,
    /// None without traces.
    pub(super) sends: Option<Sends>,
}

impl<P: Publish> Gateway<P> {
    pub(super) fn new(
        publisher: P,
        auth: Auth,
        limits: &Limits,
        deadline: Duration,
        health: Health,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        Ok(Self {
            publisher,
            auth,
            limits: limits.clone(),
            deadline,
            slots: Slots::new(limits.max_concurrency),
            health,
            metrics: HttpMetrics::new(registry)?,
            sends: None,
        })
    }

    /// With spans for the events, if there is something that makes them.
    pub(super) fn traced(self, sends: Option<Sends>) -> Self {
        Self { sends, ..self }
    }
}

pub(super) fn router<P: Publish>(gateway: Gateway<P>) -> Router {
    let http_metrics = gateway.metrics.clone();
    let auth = gateway.auth.clone();
    Router::new()
        .route(EVENT, post(publish::publish::<P>))
        .route(BATCH, post(batch::publish::<P>).layer(DefaultBodyLimit::max(MAX_BATCH_BYTES)))
        // What is added below this line is open to everybody.
        .route_layer(axum::middleware::from_fn_with_state(auth, auth::authenticate))
        .route(OPENAPI, get(openapi::serve::<P>))
        .method_not_allowed_fallback(async |method: Method, uri: Uri| {
            Problem::method_not_allowed(&method, &uri)
        })
        .fallback(async |uri: Uri| Problem::not_found(&uri))
        .layer(DefaultBodyLimit::max(MAX_EVENT_BYTES))
        .layer(axum::middleware::from_fn_with_state(http_metrics, metrics::measure))
        .with_state(Arc::new(gateway))
}

#[cfg(test)]
mod tests;
