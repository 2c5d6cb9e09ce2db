//! `audit-consumer status`: what it shows is what is so, and it needs no more than to read.

use anyhow::{Context, Result};
use audit_tests::{binary::Binary, pipeline::Pipeline};
use serde_json::Value;

mod once;
mod watch;

/// The seeds of this module's generators.
const SEED: u64 = 0x0A0D_1040;

/// `status` of a stream, by a user that can do nothing but read where there are roles.
fn status(pipeline: &Pipeline<'_>, database_url: &str) -> Binary {
    Binary::new("audit-consumer")
        .args(["status"])
        .env("AUDIT_DATABASE_URL", database_url)
        .env("AUDIT_BROKERS", pipeline.servers.kafka.bootstrap())
        .env("AUDIT_TOPIC", &pipeline.topic)
}

/// What one look shows.
async fn look(status: Binary) -> Result<Value> {
    let output = status.args(["--format", "json"]).run().await?.success()?;
    serde_json::from_str(&output).with_context(|| output)
}

/// A partition of the only stream.
fn partition(look: &Value, number: usize) -> &Value {
    &look["streams"][0]["partitions"][number]
}
