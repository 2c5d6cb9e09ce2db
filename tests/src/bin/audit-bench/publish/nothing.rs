//! The least a server that answers 201 can do: axum reads the body, and that is all.

use anyhow::Result;
use audit_runtime::admin::AdminOptions;
use audit_tests::{binary::Binary, gateway};
use axum::{Router, body::Bytes, http::StatusCode, routing::get};
use clap::Args;

use super::{
    events::Events,
    meter::{Figures, Meter},
    requests::Requests,
};

/// Reads bodies and answers 201: what the gateway is compared with, in a process of its own.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// It takes requests where a service would be asked whether it is ready.
    #[command(flatten)]
    address: AdminOptions,
}

impl Server {
    /// Serves until it is killed.
    pub(crate) async fn serve(&self) -> Result<()> {
        let router = Router::new()
            .route("/readyz", get(async || StatusCode::OK))
            .fallback(async |_body: Bytes| StatusCode::CREATED);
        Ok(axum::serve(self.address.bind().await?, router).await?)
    }
}

pub(super) async fn measure(events: &Events, count: u32, connections: u16) -> Result<Figures> {
    let server = Binary::new("audit-bench").args(["nothing"]).quiet().start_ready().await?;
    let requests = Requests::new(gateway::PATH, "application/json", &events.json);
    let meter = Meter::start()?;
    let times = requests.send(server.admin(), count, connections).await?;
    meter.server(count, times)
}
