//! The admin server: `/livez`, `/readyz` and `/metrics`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::listen::{self, ListenError};

/// Scrapes that are still being answered at the end get this long.
const GRACE: Duration = Duration::from_secs(1);

/// Where the admin server listens.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Admin")]
pub struct AdminOptions {
    /// Address of /livez, /readyz and /metrics
    #[arg(
        long,
        env = "AUDIT_ADMIN_LISTEN",
        default_value = "0.0.0.0:8081",
        value_name = "IP:PORT"
    )]
    pub admin_listen: SocketAddr,
}

impl AdminOptions {
    /// Takes the address, so that a port in use is found before anything else is started.
    ///
    /// # Errors
    /// [`ListenError`], one line that names the option.
    pub async fn bind(&self) -> Result<TcpListener, ListenError> {
        listen::bind(self.admin_listen, "--admin-listen (AUDIT_ADMIN_LISTEN)").await
    }
}

/// What `/readyz` says. Cheap to clone; every clone is the same state.
///
/// Ready means started and accepting work. An outage of something this process depends on is a *condition*: it is
/// shown by `/readyz?verbose` and never makes the process unready, since taking it out of service would not help.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<HealthState>);

#[derive(Debug, Default)]
struct HealthState {
    ready: AtomicBool,
    conditions: Mutex<BTreeMap<String, String>>,
}

impl Health {
    /// Not ready, no conditions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether work is accepted.
    pub fn set_ready(&self, ready: bool) {
        self.0.ready.store(ready, Ordering::Release);
    }

    /// Whether work is accepted.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Acquire)
    }

    /// Shows (`Some`) or takes away (`None`) a condition of that name.
    pub fn set_condition(&self, name: &str, text: Option<String>) {
        let mut conditions = self.0.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        match text {
            Some(text) => conditions.insert(name.to_owned(), text),
            None => conditions.remove(name),
        };
    }

    fn describe(&self) -> String {
        let mut text = String::from(if self.is_ready() { "ready\n" } else { "not ready\n" });
        for (name, condition) in
            self.0.conditions.lock().unwrap_or_else(PoisonError::into_inner).iter()
        {
            writeln!(text, "{name}: {condition}").expect("a String takes every write");
        }
        text
    }
}

/// Answers until the token is cancelled.
///
/// # Errors
/// When the listener itself fails; a failing connection is not an error.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    registry: Registry,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let stopped = stop.clone();
    let server = axum::serve(listener, router(health, registry))
        .with_graceful_shutdown(stop.cancelled_owned());
    // An idle keep-alive connection would hold a graceful shutdown open for as long as its client likes.
    tokio::select! {
        result = server.into_future() => result,
        () = async { stopped.cancelled().await; tokio::time::sleep(GRACE).await } => Ok(()),
    }
}

fn router(health: Health, registry: Registry) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz).with_state(health))
        .route("/metrics", get(metrics).with_state(registry))
}

async fn readyz(State(health): State<Health>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    let code = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose = query.is_some_and(|query| {
        query.split('&').any(|part| part == "verbose" || part.starts_with("verbose="))
    });
    let text = health.describe();
    let first_line = text.find('\n').map_or(text.len(), |end| end + 1);
    (code, if verbose { text } else { text[..first_line].to_owned() })
}

async fn metrics(State(registry): State<Registry>) -> Response {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&registry.gather(), &mut text) {
        Ok(()) => {
            ([(header::CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response()
        }
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot encode the metrics: {error}\n"))
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn get(health: &Health, path: &str) -> (u16, String) {
        let router = router(health.clone(), crate::metrics::registry("audit-test"));
        let response =
            router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let code = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (code, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_follows_the_service_and_not_its_conditions() {
        let health = Health::new();
        assert_eq!(get(&health, "/livez").await, (200, "alive\n".into()));
        assert_eq!(get(&health, "/readyz").await, (503, "not ready\n".into()));

        health.set_ready(true);
        health.set_condition("kafka", Some("no broker answers".into()));
        assert_eq!(get(&health, "/readyz").await, (200, "ready\n".into()));
        assert_eq!(
            get(&health, "/readyz?verbose").await,
            (200, "ready\nkafka: no broker answers\n".into())
        );

        health.set_condition("kafka", None);
        assert_eq!(get(&health, "/readyz?verbose").await, (200, "ready\n".into()));
    }

    #[tokio::test]
    async fn metrics_are_prometheus_text() {
        let (code, text) = get(&Health::new(), "/metrics").await;
        assert_eq!(code, 200);
        assert!(text.contains("# TYPE process_cpu_seconds_total counter"), "{text}");
        assert!(text.contains("kubernaut_audit_build_info{program=\"audit-test\""), "{text}");
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_hold_up_the_end() {
        let options = AdminOptions { admin_listen: "127.0.0.1:0".parse().unwrap() };
        let listener = options.bind().await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, Health::new(), Registry::new(), stop.clone()));
        let _idle = tokio::net::TcpStream::connect(address).await.unwrap();
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap().unwrap();
    }
}
