//! Connections that stay open, as those of every HTTP client library do.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use audit_producer::Acknowledged;
use audit_tests::{
    gateway::{Gateway, PATH, acknowledged, lost},
    generator::{Event, Generator},
    http::Response,
    pipeline::Pipeline,
};
use chrono::Utc;
use futures_util::future::try_join_all;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

const SEED: u64 = 0x0A0D_2004;
const CONNECTIONS: usize = 64;
const REQUESTS: usize = 20;

#[tokio::test]
async fn sixty_four_connections_at_once_each_kept_alive() -> Result<()> {
    let pipeline = Pipeline::shared("connections", 4).await?;
    let consumer = pipeline.start_consumer().await?;
    let gateway = Gateway::start(pipeline.servers.kafka.bootstrap(), &pipeline.topic).await?;
    let mut generator = Generator::new(SEED, Utc::now());

    let clients = (0..CONNECTIONS).map(|_| post_all(gateway.address, generator.events(REQUESTS)));
    let all: Vec<Acknowledged> =
        try_join_all(clients.collect::<Vec<_>>()).await?.into_iter().flatten().collect();
    assert_eq!(all.len(), CONNECTIONS * REQUESTS);

    let summary = pipeline.verify().await?;
    assert_eq!((summary.ids, summary.dead_letters), (CONNECTIONS * REQUESTS, 0));
    let records = pipeline.servers.kafka.read_all(&pipeline.topic).await?;
    assert_eq!(lost(&all, &records), []);
    pipeline.stop(&consumer).await
}

/// Posts events one after the other over a single connection.
async fn post_all(address: SocketAddr, events: Vec<Event>) -> Result<Vec<Acknowledged>> {
    let mut stream = BufStream::new(TcpStream::connect(address).await?);
    let mut all = Vec::new();
    for event in events {
        let body = event.value();
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await?;
        stream.flush().await?;
        all.push(acknowledged(&answer(&mut stream).await?)?);
    }
    Ok(all)
}

async fn answer(stream: &mut BufStream<TcpStream>) -> Result<Response> {
    let mut status = String::new();
    stream.read_line(&mut status).await?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        ensure!(stream.read_line(&mut line).await? > 0, "the connection ended after {status:?}");
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let status = status.split(' ').nth(1).context("no status line")?.parse()?;
    let mut response = Response { status, headers, body: Vec::new() };
    let length = response.header("content-length").context("no length")?.parse()?;
    response.body.resize(length, 0);
    stream.read_exact(&mut response.body).await?;
    Ok(response)
}
