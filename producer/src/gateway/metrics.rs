//! What the gateway measures of its requests.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

use super::routes::{BATCH, EVENT, OPENAPI};

const BUCKETS: [f64; 12] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What stands for every path that is no route of ours: anyone can make up paths.
const NO_ROUTE: &str = "_other";
/// What each route can answer.
const ANSWERS: [(&str, &[&str]); 4] = [
    (EVENT, &["201", "400", "401", "403", "405", "408", "413", "415", "429", "500", "503"]),
    (BATCH, &["201", "207", "400", "401", "403", "405", "408", "413", "415", "429"]),
    (OPENAPI, &["200", "405"]),
    (NO_ROUTE, &["404"]),
];

#[derive(Debug, Clone)]
pub(super) struct HttpMetrics {
    requests: IntCounterVec,
    seconds: Histogram,
}

impl HttpMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new(
                "kubernaut_audit_http_requests_total",
                "Requests answered, by route and status code",
            ),
            &["route", "code"],
        )?;
        let seconds = Histogram::with_opts(
            HistogramOpts::new(
                "kubernaut_audit_http_request_seconds",
                "Time from the head of a request to its answer",
            )
            .buckets(BUCKETS.to_vec()),
        )?;
        // There from the start, so that a rate sees the first of each.
        for (route, codes) in ANSWERS {
            codes.iter().for_each(|code| drop(requests.with_label_values(&[route, *code])));
        }
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Self { requests, seconds })
    }
}

/// Counts and times the request.
pub(super) async fn measure(
    State(metrics): State<HttpMetrics>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    metrics.seconds.observe(begun.elapsed().as_secs_f64());
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    metrics.requests.with_label_values(&[route, response.status().as_str()]).inc();
    response
}
