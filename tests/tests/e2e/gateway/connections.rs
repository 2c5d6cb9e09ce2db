//! Connections that stay open, as those of every HTTP client library do.

use std::net::SocketAddr;

use anyhow::Result;
use audit_producer::Acknowledged;
use audit_tests::{
    gateway::{Gateway, PATH, acknowledged, lost},
    generator::{Event, Generator},
    http::Connection,
    pipeline::Pipeline,
};
use chrono::Utc;
use futures_util::future::try_join_all;
use tokio::net::TcpStream;

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
    let mut connection = Connection::over(TcpStream::connect(address).await?);
    let mut all = Vec::new();
    for event in events {
        let headers = [("content-type", "application/json")];
        let answer = connection.request("POST", PATH, &headers, &event.value()).await?;
        all.push(acknowledged(&answer)?);
    }
    Ok(all)
}
