//! Who sends requests: connections that are kept, each of which sends one as soon as the one before is answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use audit_tests::http::Connection;
use futures_util::future::try_join_all;
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// Requests as they go over the wire.
pub(super) struct Requests(Arc<Vec<Vec<u8>>>);

impl Requests {
    pub(super) fn new(path: &str, content_type: &str, bodies: &[Vec<u8>]) -> Self {
        let request = |body: &Vec<u8>| {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), body].concat()
        };
        Self(Arc::new(bodies.iter().map(request).collect()))
    }

    /// Sends so many, from the first on and around again. Gives the time that each took.
    ///
    /// # Errors
    /// One is not answered with 201.
    pub(super) async fn send(
        &self,
        to: SocketAddr,
        count: u32,
        connections: u16,
    ) -> Result<Vec<Duration>> {
        let next = Arc::new(AtomicU32::new(0));
        let senders = (0..connections).map(|_| {
            let (requests, next) = (Arc::clone(&self.0), Arc::clone(&next));
            tokio::spawn(async move {
                let mut connection = connect(to).await?;
                let mut times = Vec::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return Ok(times);
                    }
                    let begun = Instant::now();
                    exchange(&mut connection, request(&requests, index)).await?;
                    times.push(begun.elapsed());
                }
            })
        });
        let results = try_join_all(senders).await.context("a sender panicked")?;
        Ok(results.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }

    /// Opens a connection and sends one request over it.
    pub(super) async fn open(&self, to: SocketAddr, index: u32) -> Result<Connection<TcpStream>> {
        let mut connection = connect(to).await?;
        exchange(&mut connection, request(&self.0, index)).await?;
        Ok(connection)
    }
}

async fn connect(to: SocketAddr) -> Result<Connection<TcpStream>> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(Connection::over(stream))
}

fn request(requests: &[Vec<u8>], index: u32) -> &[u8] {
    let index = usize::try_from(index).unwrap_or(0);
    &requests[index % requests.len()]
}

async fn exchange(connection: &mut Connection<TcpStream>, request: &[u8]) -> Result<()> {
    // In one write, as clients send what fits their buffer.
    connection.stream().write_all(request).await?;
    let answer = connection.answer().await?;
    ensure!(answer.status == 201, "{}: {}", answer.status, answer.text());
    Ok(())
}
