//! Connections: accepted, limited in time, and brought to an end in good order.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::Limits;

/// Largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Out of file handles, most likely: some connection will end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// At most so many connections wait to be accepted.
const BACKLOG: usize = 1024;

/// How long a connection that was just made may take to send its request before it is closed for idling.
const LAST_REQUESTS: Duration = Duration::from_millis(250);

/// Serves until told to drain; then takes no more connections, and ends when every request under way is answered, which
/// its limits bound.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    deadline: Duration,
    drain: CancellationToken,
) {
    let mut http = http1::Builder::new();
    // The time to the next head is also how long a connection may idle.
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(MAX_HEAD_BYTES);
    let connections = GracefulShutdown::new();
    let start = |stream: TcpStream| {
        // Answers are one small write; waiting for more to send with it only costs time.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = drain.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => start(stream),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Those that wait to be accepted were made while this was the place to go to.
    for _ in 0..BACKLOG {
        match tokio::time::timeout(Duration::ZERO, listener.accept()).await {
            Ok(Ok((stream, _))) => start(stream),
            _ => break,
        }
    }
    drop(listener);
    tokio::time::sleep(LAST_REQUESTS).await;
    // Events of a batch may wait for their places as long as for their acknowledgements.
    let grace = limits.body_timeout + 2 * deadline + Duration::from_secs(1);
    if tokio::time::timeout(grace, connections.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in time");
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

    use axum::routing::get;
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
            body_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_millis(500),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", slow);
        let server =
            async move { serve(listener, router, &limits, Duration::from_secs(1), drain).await };
        (address, tokio::spawn(server))
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
