//! Which path leads where, and what all of them share.

use std::sync::Arc;

use audit_producer::Publish;
use audit_runtime::admin::Health;
use audit_schema::topic::MAX_EVENT_BYTES;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::routing::post;
use prometheus::Registry;
use tokio::sync::Semaphore;

use super::metrics::{self, HttpMetrics};
use super::problem::Problem;
use super::trace::Sends;
use super::{Limits, publish};

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub(super) struct Gateway<P> {
    pub(super) publisher: P,
    pub(super) source: Arc<str>,
    pub(super) limits: Arc<Limits>,
    /// One permit for each request that may be under way.
    pub(super) slots: Arc<Semaphore>,
    pub(super) health: Health,
    pub(super) metrics: HttpMetrics,
    /// None without traces.
    pub(super) sends: Option<Sends>,
}

impl<P: Publish> Gateway<P> {
    pub(super) fn new(
        publisher: P,
        source: &str,
        limits: &Limits,
        health: Health,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let slots = usize::try_from(limits.max_concurrency)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Ok(Self {
            publisher,
            source: source.into(),
            limits: Arc::new(limits.clone()),
            slots: Arc::new(Semaphore::new(slots)),
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
    Router::new()
        .route("/api/v1/audit/workflow-execution", post(publish::publish::<P>))
        .method_not_allowed_fallback(async |method: Method, uri: Uri| {
            Problem::method_not_allowed(&method, &uri)
        })
        .fallback(async |uri: Uri| Problem::not_found(&uri))
        .layer(DefaultBodyLimit::max(MAX_EVENT_BYTES))
        .layer(axum::middleware::from_fn_with_state(http_metrics, metrics::measure))
        .with_state(gateway)
}

#[cfg(test)]
mod tests;
