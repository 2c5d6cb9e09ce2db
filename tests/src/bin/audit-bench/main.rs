//! `make bench`: what the product costs beside the least that the same work could cost.
//!
//! Only ratios within one run mean anything: what is compared takes turns, so that whatever else the
//! machine does hits all of it.

mod account;
mod consumer;
mod contents;
mod controller;
mod copy;
mod cpu;
mod events;
mod filler;
mod load;
mod machine;
mod meter;
mod publish;
mod quantiles;
mod rows;
mod runs;
mod scale;
mod stage;
mod table;
mod write;

use std::{
    io::{Write, stderr},
    process::ExitCode,
};

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};

/// What the product costs beside the least that the same work could cost: tables of ratios.
#[derive(Debug, Parser)]
#[command(name = "audit-bench")]
struct Arguments {
    #[command(subcommand)]
    suite: Suite,
}

/// What is measured.
#[derive(Debug, Subcommand)]
enum Suite {
    /// The consumer beside raw COPY, other sinks' upserts and bare librdkafka
    Write(write::settings::Settings),
    /// The consumer beside raw COPY, whatever the events are and whatever the table holds
    Contents(contents::settings::Settings),
    /// Several consumers, a backlog under live traffic, a cold start, latency
    Scale(scale::Settings),
    /// The publisher beside bare librdkafka, the gateway beside an HTTP server that does nothing
    Publish(publish::settings::Settings),
    /// The controller: thousands of resources that finish at once, and a few each second
    Controller(controller::Settings),
    /// The HTTP server that does nothing
    #[command(hide = true)]
    Nothing(publish::nothing::Server),
}

#[tokio::main]
async fn main() -> ExitCode {
    match bench(&Arguments::parse().suite).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell that it cannot be told.
            writeln!(stderr(), "error: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn bench(suite: &Suite) -> Result<()> {
    ensure!(
        !cfg!(debug_assertions),
        "figures of a debug build mean nothing: `make bench` builds for release"
    );
    match suite {
        Suite::Write(settings) => write::bench(settings).await,
        Suite::Contents(settings) => contents::bench(settings).await,
        Suite::Scale(settings) => scale::bench(settings).await,
        Suite::Publish(settings) => publish::bench(settings).await,
        Suite::Controller(settings) => controller::bench(settings).await,
        Suite::Nothing(server) => server.serve().await,
    }
}

/// What goes on, for whoever waits; the report alone goes to standard output.
fn say(line: &str) -> Result<()> {
    Ok(writeln!(stderr(), "{line}")?)
}
