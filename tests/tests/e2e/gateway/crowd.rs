//! As many connections as there may be, and more.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use audit_tests::{
    binary::Binary,
    eventually,
    gateway::{Gateway, acknowledged},
    generator::Generator,
    http::{self, Connection},
    os::free_port,
    shared,
};
use chrono::Utc;
use futures_util::{StreamExt, TryStreamExt, stream};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpSocket, TcpStream};

const SEED: u64 = 0x0A0D_2013;
const LONG: Duration = Duration::from_secs(180);
const CROWD: u16 = 10_000;
/// What 10,000 connections that were used once may add to the gateway's memory: 16 KiB each.
const CROWD_MIB: f64 = 160.0;
const MIB: f64 = 1024.0 * 1024.0;

#[tokio::test]
async fn ten_thousand_idle_connections_hold_up_nobody() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(hard >= 12_000, "the hard limit on open files is {hard}: this test needs 12000");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let kafka = shared::kafka().await?;
    let topic = shared::unique("crowd");
    kafka.create_audit_topic(&topic, 1).await?;
    let patient =
        |gateway: Binary| gateway.env("AUDIT_IDLE_TIMEOUT", "1h").open_files_at_first(1_024);
    let gateway = Gateway::start_with(kafka.bootstrap(), &topic, patient).await?;
    let before = resident(&gateway).await?;

    let mut crowd: Vec<_> = stream::iter(0..CROWD)
        .map(|n| async move {
            let mut connection =
                Connection::over(connect(source_address(n), gateway.address).await?);
            ensure!(connection.request("GET", "/", &[], &[]).await?.status == 404);
            anyhow::Ok(connection)
        })
        .buffer_unordered(100)
        .try_collect()
        .await?;
    assert!(open(&gateway).await? >= f64::from(CROWD));
    for event in Generator::new(SEED, Utc::now()).events(20) {
        acknowledged(&gateway.post(&event.value()).await?)?;
    }
    let grown = resident(&gateway).await? - before;
    assert!(grown < CROWD_MIB, "{grown} MiB");
    for at in [0, crowd.len() / 2, crowd.len() - 1] {
        assert_eq!(crowd[at].request("GET", "/", &[], &[]).await?.status, 404, "it goes on");
    }

    drop(crowd);
    eventually(LONG, "their places to be free", async || {
        let open = open(&gateway).await?;
        ensure!(open == 0.0, "{open} connections");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn one_connection_too_many_waits_for_a_place() -> Result<()> {
    let gateway = start(|gateway| gateway.env("AUDIT_MAX_CONNECTIONS", "2")).await?;
    let mut seated = Vec::new();
    for _ in 0..2 {
        let mut connection = Connection::over(TcpStream::connect(gateway.address).await?);
        assert_eq!(connection.request("GET", "/", &[], &[]).await?.status, 404);
        seated.push(connection);
    }
    let mut waiting = Connection::over(TcpStream::connect(gateway.address).await?);
    let mut answer = std::pin::pin!(waiting.request("GET", "/", &[], &[]));
    let while_full = tokio::time::timeout(Duration::from_millis(500), answer.as_mut()).await;
    assert!(while_full.is_err(), "{while_full:?}");
    eventually(LONG, "the want of places to be told", async || {
        let ready = http::get(gateway.service.admin(), "/readyz?verbose").await?;
        ensure!(ready.status == 200, "{}", ready.status);
        ensure!(ready.text().contains("connections: all 2 are taken"), "{}", ready.text());
        Ok(())
    })
    .await?;
    assert_eq!(open(&gateway).await?, 2.0);

    seated.pop();
    assert_eq!(tokio::time::timeout(LONG, answer).await??.status, 404);
    assert_eq!(seated[0].request("GET", "/", &[], &[]).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn the_admin_port_is_reachable_when_files_run_out() -> Result<()> {
    let gateway = start(|gateway| gateway.open_files(300)).await?;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(TcpStream::connect(gateway.address).await?);
    }
    eventually(LONG, "every place to be taken", async || {
        let open = open(&gateway).await?;
        ensure!(open == 150.0, "{open} connections");
        Ok(())
    })
    .await?;
    for _ in 0..20 {
        assert_eq!(http::get(gateway.service.admin(), "/livez").await?.status, 200);
    }
    let log = gateway.service.log()?;
    assert!(log.contains("the hard limit on open files is too low"), "{log}");
    assert!(!log.contains("cannot accept"), "{log}");
    Ok(())
}

/// With a broker that cannot be reached, and connections that may idle for long.
async fn start(adapt: impl FnOnce(Binary) -> Binary) -> Result<Gateway> {
    let nobody = format!("127.0.0.1:{}", free_port());
    let patient = |gateway: Binary| adapt(gateway.env("AUDIT_IDLE_TIMEOUT", "1h"));
    Gateway::start_with(&nobody, "nowhere", patient).await
}

/// One of several addresses of this machine, each with ports of its own.
fn source_address(n: u16) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, u8::try_from(n % 4 + 1).unwrap_or(1))
}

async fn connect(from: Ipv4Addr, to: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    Ok(socket.connect(to).await?)
}

async fn open(gateway: &Gateway) -> Result<f64> {
    let open = gateway.service.metrics().await?.get("kubernaut_audit_http_connections");
    open.context("no kubernaut_audit_http_connections")
}

async fn resident(gateway: &Gateway) -> Result<f64> {
    let resident = gateway.service.metrics().await?.get("process_resident_memory_bytes");
    Ok(resident.context("no process_resident_memory_bytes")? / MIB)
}
