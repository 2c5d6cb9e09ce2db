//! What connections cost that do nothing.

use anyhow::Result;
use audit_tests::gateway::PATH;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{events::Events, gateway, requests::Requests, settings::Settings, stage::Stage};

/// Resident memory of the gateway, in bytes.
pub(crate) struct Idle {
    pub(crate) connections: u16,
    /// After as many requests over a few connections, which are closed.
    pub(crate) without: u64,
    /// With all connections open, each after a request of its own.
    pub(crate) with: u64,
}

pub(super) async fn measure(stage: &Stage, events: &Events, settings: &Settings) -> Result<Idle> {
    let topic = stage.fresh_topic().await?;
    let gateway = gateway::start(stage, &topic).await?;
    let requests = Requests::new(PATH, "application/json", &events.json);
    requests.send(gateway.address, settings.idle.into(), settings.connections).await?;
    let without = gateway.service.resident_memory()?;
    let open: Vec<_> = stream::iter(0..settings.idle)
        .map(|index| requests.open(gateway.address, index.into()))
        .buffer_unordered(settings.connections.into())
        .try_collect()
        .await?;
    let with = gateway.service.resident_memory()?;
    drop(open);
    Ok(Idle { connections: settings.idle, without, with })
}
