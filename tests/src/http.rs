//! The smallest HTTP client that serves: one request a time, nothing hidden.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream},
    net::TcpStream,
};

/// How long an answer may take, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// What came back.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is not JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }
}

/// `GET path`.
///
/// # Errors
/// No connection, or no answer.
pub async fn get(address: SocketAddr, path: &str) -> Result<Response> {
    request(address, "GET", path, &[], &[]).await
}

/// `POST path` with these headers and this body.
///
/// # Errors
/// No connection, or no answer.
pub async fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Response> {
    request(address, "POST", path, headers, body).await
}

/// Any request.
///
/// # Errors
/// No connection, or no answer within two minutes.
pub async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Response> {
    let headers = [&[("connection", "close")], headers].concat();
    let exchange = async {
        let mut connection = Connection::over(TcpStream::connect(address).await?);
        connection.request(method, path, &headers, body).await
    };
    in_time(exchange).await.with_context(|| format!("{method} http://{address}{path}"))
}

async fn in_time<T>(exchange: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(DEADLINE, exchange)
        .await
        .unwrap_or_else(|_| bail!("nothing within {DEADLINE:?}"))
}

/// A connection for any number of requests, over TCP or TLS.
#[derive(Debug)]
pub struct Connection<S>(BufStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Over what is connected already.
    pub fn over(stream: S) -> Self {
        Self(BufStream::new(stream))
    }

    /// What it goes over.
    pub fn stream(&mut self) -> &mut S {
        self.0.get_mut()
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// The connection ends before the answer does, or it takes longer than two minutes.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response> {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.0.write_all(head.as_bytes()).await?;
        self.0.flush().await?;
        // A server that has refused already may have stopped to read; its answer is there.
        self.0.write_all(body).await.ok();
        self.0.flush().await.ok();
        self.answer().await
    }

    /// Waits for an answer. Its body goes to its length, or to the end of the connection if it says none.
    ///
    /// # Errors
    /// The connection ends before the answer does, or it takes longer than two minutes.
    pub async fn answer(&mut self) -> Result<Response> {
        in_time(self.read_answer()).await
    }

    async fn read_answer(&mut self) -> Result<Response> {
        let status = self.line().await?;
        let status = status.split(' ').nth(1).context("no status line")?.parse()?;
        let mut headers = Vec::new();
        while let Some((name, value)) = self.line().await?.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: Vec::new() };
        match response.header("content-length") {
            Some(length) => {
                response.body.resize(length.parse()?, 0);
                self.0.read_exact(&mut response.body).await?;
            }
            None => {
                self.0.read_to_end(&mut response.body).await?;
            }
        }
        Ok(response)
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.0.read_line(&mut line).await? > 0, "the connection ended");
        Ok(line)
    }

    /// Waits until the server closes the connection, which it is to do in good order.
    ///
    /// # Errors
    /// It sends something instead, cuts the connection off, or takes longer than two minutes.
    pub async fn closed(&mut self) -> Result<()> {
        let mut rest = Vec::new();
        in_time(async { Ok(self.0.read_to_end(&mut rest).await?) }).await?;
        ensure!(rest.is_empty(), "it goes on: {}", String::from_utf8_lossy(&rest));
        Ok(())
    }
}
