//! Connections: accepted, limited in time, and brought to an end in good order.

use std::io::ErrorKind;
use std::time::Duration;

use audit_runtime::listen;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::connections::Places;
use super::limits::Limits;
use super::tls::Tls;

/// Largest head of a request, in bytes; what arrives in one read with the last of them is let pass.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Out of file handles, most likely: some connection will end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection that was just made may take to send its request before it is closed for idling.
const LAST_REQUESTS: Duration = Duration::from_millis(250);

/// What connections are served with.
pub(super) struct Server {
    pub(super) router: Router,
    pub(super) places: Places,
    /// `None`: plain HTTP.
    pub(super) tls: Option<Tls>,
    pub(super) limits: Limits,
    /// How long an answer may take once its request has arrived.
    pub(super) deadline: Duration,
}

impl Server {
    /// Serves until told to drain; then takes no more connections, and ends when every request under way is answered,
    /// which its limits bound.
    pub(super) async fn serve(mut self, listener: TcpListener, drain: CancellationToken) {
        let connections = GracefulShutdown::new();
        let last_requests = CancellationToken::new();
        loop {
            let accepting = async {
                let permit = self.places.free().await;
                (permit, listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                accepted = accepting => accepted,
                () = drain.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    self.start(stream, permit, connections.watcher(), &last_requests);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // Those that wait to be accepted were made while this was the place to go to.
        for _ in 0..listen::BACKLOG {
            let Some(permit) = self.places.try_free() else { break };
            match tokio::time::timeout(Duration::ZERO, listener.accept()).await {
                Ok(Ok((stream, _))) => {
                    self.start(stream, permit, connections.watcher(), &last_requests);
                }
                _ => break,
            }
        }
        drop(listener);
        tokio::time::sleep(LAST_REQUESTS).await;
        last_requests.cancel();
        // Events of a batch may wait for their places as long as for their acknowledgements.
        let grace = self.limits.body_timeout + 2 * self.deadline + Duration::from_secs(1);
        if tokio::time::timeout(grace, connections.shutdown()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }

    /// Serves one connection in a task of its own, its handshake included.
    fn start(
        &self,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
        watcher: Watcher,
        last_requests: &CancellationToken,
    ) {
        // Answers are one small write; waiting for more to send with it only costs time.
        let _ = stream.set_nodelay(true);
        let place = self.places.take(permit);
        let router = self.router.clone();
        let idle_timeout = self.limits.idle_timeout;
        let Some(tls) = self.tls.clone() else {
            tokio::spawn(async move {
                talk(stream, router, idle_timeout, watcher).await;
                drop(place);
            });
            return;
        };
        let given_up = last_requests.clone().cancelled_owned();
        tokio::spawn(async move {
            let handshake = tokio::time::timeout(idle_timeout, tls.handshake(stream));
            let agreed = tokio::select! {
                agreed = handshake => agreed.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())),
                () = given_up => return,
            };
            match agreed {
                Ok(stream) => talk(stream, router, idle_timeout, watcher).await,
                Err(error) => {
                    tls.count_failure();
                    tracing::debug!(%error, "a TLS handshake failed");
                }
            }
            drop(place);
        });
    }
}

/// Answers requests until the client or the watcher ends the connection.
async fn talk<S>(stream: S, router: Router, idle_timeout: Duration, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    // The time to the next head is also how long a connection may idle.
    http.timer(TokioTimer::new()).header_read_timeout(idle_timeout).max_buf_size(MAX_HEAD_BYTES);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Tells clients that keep their connections open to make another one, which leads to another gateway: a connection
/// that is closed while it idles may cut off a request that is just being sent.
pub(super) async fn close_when_stopping(
    State(stop): State<CancellationToken>,
    mut response: Response,
) -> Response {
    if stop.is_cancelled() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use audit_runtime::admin::Health;
    use axum::routing::get;
    use prometheus::Registry;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";

    async fn start(drain: CancellationToken) -> (SocketAddr, JoinHandle<()>) {
        let slow = get(async || {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "done"
        });
        let limits = Limits {
            max_concurrency: 1,
            max_connections: 100,
            body_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_millis(500),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server {
            router: Router::new().route("/", slow),
            places: Places::new(limits.max_connections, Health::new(), &Registry::new()).unwrap(),
            tls: None,
            limits,
            deadline: Duration::from_secs(1),
        };
        (address, tokio::spawn(server.serve(listener, drain)))
    }

    async fn read(stream: &mut TcpStream) -> String {
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(5), reading).await.unwrap().unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn what_was_accepted_is_answered_before_the_end() {
        let drain = CancellationToken::new();
        let (address, server) = start(drain.clone()).await;
        let mut busy = TcpStream::connect(address).await.unwrap();
        let mut idle = TcpStream::connect(address).await.unwrap();
        busy.write_all(REQUEST).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        drain.cancel();
        assert!(read(&mut busy).await.ends_with("done"));
        assert_eq!(read(&mut idle).await, "");
        tokio::time::timeout(Duration::from_secs(1), server).await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_connection_that_was_just_made_is_still_answered() {
        let drain = CancellationToken::new();
        let (address, server) = start(drain.clone()).await;
        // Not accepted before the drain: the server has had no time to run.
        let mut fresh = TcpStream::connect(address).await.unwrap();
        drain.cancel();
        tokio::time::sleep(LAST_REQUESTS / 4).await;
        fresh.write_all(REQUEST).await.unwrap();
        assert!(read(&mut fresh).await.ends_with("done"));
        tokio::time::timeout(Duration::from_secs(1), server).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn once_told_to_stop_answers_close_their_connection() {
        let stop = CancellationToken::new();
        let closing = axum::middleware::map_response_with_state(stop.clone(), close_when_stopping);
        let router = Router::new().route("/", get(async || "done")).layer(closing);
        let closes = async || {
            let request = axum::http::Request::get("/").body(axum::body::Body::empty()).unwrap();
            let answer = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
            answer.headers().get(header::CONNECTION).is_some_and(|value| value == "close")
        };
        assert!(!closes().await);
        stop.cancel();
        assert!(closes().await);
    }

    #[tokio::test]
    async fn connections_that_send_no_head_are_closed() {
        let (address, _server) = start(CancellationToken::new()).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HT").await.unwrap();
        let mut reused = TcpStream::connect(address).await.unwrap();
        reused.write_all(REQUEST).await.unwrap();
        assert_eq!(read(&mut silent).await, "");
        assert_eq!(read(&mut slow).await, "");
        assert!(read(&mut reused).await.ends_with("done"));
    }
}
