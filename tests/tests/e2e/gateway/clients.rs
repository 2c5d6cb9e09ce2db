//! Clients that do not behave: each costs the gateway a bounded time and a bounded memory.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Result, ensure};
use audit_tests::{
    binary::Binary,
    gateway::{Gateway, PATH, acknowledged, lost},
    generator::Generator,
    http::Connection,
    os::free_port,
    shared,
};
use chrono::Utc;
use futures_util::future::try_join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const SEED: u64 = 0x0A0D_2012;
const LONG: Duration = Duration::from_secs(180);
const MIB: f64 = 1024.0 * 1024.0;

#[tokio::test]
async fn a_body_that_dribbles_in_is_given_up() -> Result<()> {
    let gateway = start(|gateway| gateway.env("AUDIT_BODY_TIMEOUT", "1s")).await?;
    let stream = TcpStream::connect(gateway.address).await?;
    let (read, mut write) = stream.into_split();
    write.write_all(head("content-length: 100000").as_bytes()).await?;
    let dribbling = tokio::spawn(async move {
        // Until the gateway closes the connection.
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut connection = Connection::over(tokio::io::join(read, tokio::io::sink()));
    let answer = connection.answer().await?;
    assert_eq!(answer.status, 408, "{}", answer.text());
    assert!(answer.text().contains("body-timeout"), "{}", answer.text());
    dribbling.await?;
    Ok(())
}

#[tokio::test]
async fn a_head_that_does_not_end_closes_the_connection() -> Result<()> {
    let gateway = start(|gateway| gateway.env("AUDIT_IDLE_TIMEOUT", "1s")).await?;
    let stream = TcpStream::connect(gateway.address).await?;
    let (mut read, mut write) = stream.into_split();
    write.write_all(b"POST / HTTP/1.1\r\n").await?;
    let dribbling = tokio::spawn(async move {
        while write.write_all(b"x-slow: 1\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut answer = Vec::new();
    // Closed with more of the head on the way, the connection may be reset instead.
    tokio::time::timeout(LONG, read.read_to_end(&mut answer)).await?.ok();
    assert_eq!(answer, b"", "{}", String::from_utf8_lossy(&answer));
    dribbling.await?;
    Ok(())
}

#[tokio::test]
async fn a_head_that_is_too_large_is_a_431() -> Result<()> {
    let gateway = start(|gateway| gateway).await?;
    let one_large = format!("x: {}\r\n", "x".repeat(160 * 1024));
    let many = (0..101).fold(String::new(), |mut headers, n| {
        write!(headers, "x-{n}: 1\r\n").expect("a String takes every write");
        headers
    });
    for headers in [one_large, many] {
        let mut stream = TcpStream::connect(gateway.address).await?;
        stream
            .write_all(format!("GET / HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n").as_bytes())
            .await
            .ok();
        let answer = Connection::over(stream).answer().await?;
        assert_eq!(answer.status, 431);
    }
    let mut stream = TcpStream::connect(gateway.address).await?;
    let large =
        format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(32 * 1024));
    stream.write_all(large.as_bytes()).await?;
    assert_eq!(Connection::over(stream).answer().await?.status, 404, "32 KiB are taken");
    Ok(())
}

#[tokio::test]
async fn endless_bodies_are_cut_off_and_cost_little() -> Result<()> {
    let gateway = start(|gateway| gateway).await?;
    let resident = async || {
        let metrics = gateway.service.metrics().await?;
        anyhow::Ok(metrics.get("process_resident_memory_bytes").unwrap_or(f64::NAN) / MIB)
    };
    let before = resident().await?;
    let clients = (0..16).map(|_| async {
        let stream = TcpStream::connect(gateway.address).await?;
        let (read, mut write) = stream.into_split();
        write.write_all(head("transfer-encoding: chunked").as_bytes()).await?;
        let endless = tokio::spawn(async move {
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
            for chunks in 0..1024 {
                if write.write_all(chunk.as_bytes()).await.is_err() {
                    return Ok(chunks);
                }
            }
            anyhow::bail!("64 MiB were taken")
        });
        let answer = Connection::over(tokio::io::join(read, tokio::io::sink())).answer().await?;
        ensure!(answer.status == 413 && answer.text().contains("too-large"), "{answer:?}");
        endless.await?
    });
    try_join_all(clients).await?;
    let grown = resident().await? - before;
    assert!(grown < 128.0, "{grown} MiB for 16 bodies of at most 1 MiB");
    Ok(())
}

#[tokio::test]
async fn requests_sent_without_waiting_are_answered_in_order() -> Result<()> {
    let kafka = shared::kafka().await?;
    let topic = shared::unique("pipelined");
    kafka.create_audit_topic(&topic, 1).await?;
    let gateway = Gateway::start(kafka.bootstrap(), &topic).await?;

    let mut requests = Vec::new();
    for event in Generator::new(SEED, Utc::now()).events(20) {
        let body = event.value();
        requests.extend(head(&format!("content-length: {}", body.len())).into_bytes());
        requests.extend(body);
    }
    let mut stream = TcpStream::connect(gateway.address).await?;
    stream.write_all(&requests).await?;
    let mut connection = Connection::over(stream);
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(acknowledged(&connection.answer().await?)?);
    }
    assert!(all.is_sorted_by_key(|event| event.offset), "{all:?}");
    let records = kafka.read_all(&topic).await?;
    assert_eq!((records.len(), lost(&all, &records)), (20, vec![]));
    Ok(())
}

fn head(length: &str) -> String {
    format!(
        "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{length}\r\n\r\n"
    )
}

/// With a broker that cannot be reached.
async fn start(adapt: impl FnOnce(Binary) -> Binary) -> Result<Gateway> {
    Gateway::start_with(&format!("127.0.0.1:{}", free_port()), "nowhere", adapt).await
}
