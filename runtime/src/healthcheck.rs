//! `healthcheck`: whether the service beside it is ready, for container images that hold no HTTP client.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::admin::AdminOptions;
use crate::exit::ExitCode;

/// A service that takes longer to say that it is ready is none that should be relied on.
const TIMEOUT: Duration = Duration::from_secs(5);

/// More than `/readyz` ever says.
const MAX_ANSWER: u64 = 4096;

/// Options of `healthcheck`: where the service listens, as it was told itself.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    admin: AdminOptions,
}

/// Asks `/readyz` of the service on this machine.
///
/// # Errors
/// It does not answer, or is not ready.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let address = on_this_machine(options.admin.admin_listen);
    let answer = tokio::time::timeout(TIMEOUT, ask(address))
        .await
        .with_context(|| format!("no answer from {address} within {} s", TIMEOUT.as_secs()))?
        .with_context(|| format!("cannot ask {address} (--admin-listen)"))?;
    match answer.lines().next() {
        Some(status) if status.split(' ').nth(1) == Some("200") => {
            writeln!(std::io::stdout(), "ready").context("cannot write the result")?;
            Ok(ExitCode::Fine)
        }
        status => bail!("not ready: {}", status.unwrap_or("an empty answer")),
    }
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Who listens on every address is asked on the loopback one.
fn on_this_machine(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::admin::{Health, serve};

    #[tokio::test]
    async fn ready_is_fine_and_all_else_an_error() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = AdminOptions { admin_listen: listener.local_addr().unwrap() };
        let check = async || run(Options { admin: admin.clone() }).await;
        let (health, stop) = (Health::new(), CancellationToken::new());
        let server = tokio::spawn(serve(listener, health.clone(), Registry::new(), stop.clone()));

        let error = check().await.unwrap_err().to_string();
        assert_eq!(error, "not ready: HTTP/1.1 503 Service Unavailable");
        health.set_ready(true);
        assert_eq!(check().await.unwrap(), ExitCode::Fine);
        stop.cancel();
        server.await.unwrap().unwrap();
        let error = check().await.unwrap_err().to_string();
        assert!(error.starts_with("cannot ask 127.0.0.1:"), "{error}");
    }

    #[test]
    fn every_address_is_asked_on_the_loopback_one() {
        let asked = |text: &str| on_this_machine(text.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:8081"), "127.0.0.1:8081");
        assert_eq!(asked("[::]:8081"), "[::1]:8081");
        assert_eq!(asked("10.0.0.7:8081"), "10.0.0.7:8081");
    }
}
