//! The real binary: each request is answered when every in-sync replica has its events.

use anyhow::Result;
use audit_tests::gateway::{BATCH_PATH, Gateway, PATH};

use super::{
    events::Events,
    meter::{Figures, Meter},
    requests::Requests,
    stage::Stage,
};

/// Events of a batch.
const BATCH: u32 = 100;

pub(super) async fn start(stage: &Stage, topic: &str) -> Result<Gateway> {
    Gateway::start_with(stage.brokers(), topic, |gateway| {
        gateway
            .env("AUDIT_KAFKA_PROPERTIES", stage.properties())
            // Connections may idle for as long as it takes to count them.
            .env("AUDIT_IDLE_TIMEOUT", "10m")
            .quiet()
    })
    .await
}

pub(super) async fn requests(
    stage: &Stage,
    topic: &str,
    events: &Events,
    count: u32,
    connections: u16,
) -> Result<Figures> {
    let gateway = start(stage, topic).await?;
    let requests = Requests::new(PATH, "application/json", &events.json);
    let meter = Meter::start()?;
    let times = requests.send(gateway.address, count, connections).await?;
    meter.server(count, times)
}

pub(super) async fn batches(
    stage: &Stage,
    topic: &str,
    events: &Events,
    count: u32,
    connections: u16,
) -> Result<Figures> {
    let gateway = start(stage, topic).await?;
    let bodies: Vec<Vec<u8>> =
        events.json.chunks(usize::try_from(BATCH)?).map(|batch| batch.join(&b'\n')).collect();
    let requests = Requests::new(BATCH_PATH, "application/x-ndjson", &bodies);
    let meter = Meter::start()?;
    let times = requests.send(gateway.address, count / BATCH, connections).await?;
    meter.server(count, times)
}
