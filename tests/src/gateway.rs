//! `audit-producer gateway` on a free port, and what its answers promise.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{Context, Result, ensure};
use audit_producer::Acknowledged;
use serde_json::Value;

use crate::{
    binary::Binary,
    http::{self, Response},
    kafka::RawRecord,
    os::free_port,
    service::Service,
};

/// Where events are posted.
pub const PATH: &str = "/api/v1/audit/workflow-execution";

/// Where batches of events are posted.
pub const BATCH_PATH: &str = "/api/v1/audit/workflow-executions";

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    /// Its process.
    pub service: Service,
    /// Where it takes events.
    pub address: SocketAddr,
}

impl Gateway {
    /// Starts one for a topic and waits until it is ready, which does not take a broker.
    ///
    /// # Errors
    /// It does not become ready.
    pub async fn start(brokers: &str, topic: &str) -> Result<Self> {
        Self::start_with(brokers, topic, |gateway| gateway).await
    }

    /// The same with more to it, such as further environment variables. What a busy machine takes its time to publish
    /// is not told 503, unless a shorter deadline is among them.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub async fn start_with(
        brokers: &str,
        topic: &str,
        adapt: impl FnOnce(Binary) -> Binary,
    ) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let gateway = Binary::new("audit-producer")
            .args(["gateway"])
            .env("AUDIT_BROKERS", brokers)
            .env("AUDIT_TOPIC", topic)
            .env("AUDIT_LISTEN", address.to_string())
            .env("AUDIT_DEADLINE", "60s");
        Ok(Self { service: adapt(gateway).start_ready().await?, address })
    }

    /// Posts an event as JSON.
    ///
    /// # Errors
    /// No connection, or no answer.
    pub async fn post(&self, event: &[u8]) -> Result<Response> {
        post(self.address, event).await
    }

    /// Posts a batch of events, one per line.
    ///
    /// # Errors
    /// No connection, or no answer.
    pub async fn post_lines(&self, lines: &[u8]) -> Result<Response> {
        http::post(self.address, BATCH_PATH, &[("content-type", "application/x-ndjson")], lines)
            .await
    }

    /// Posts an event as JSON, with further headers.
    ///
    /// # Errors
    /// No connection, or no answer.
    pub async fn post_with(&self, headers: &[(&str, &str)], event: &[u8]) -> Result<Response> {
        let headers = [&[("content-type", "application/json")], headers].concat();
        http::post(self.address, PATH, &headers, event).await
    }
}

/// Posts an event as JSON to the gateway at this address.
///
/// # Errors
/// No connection, or no answer.
pub async fn post(address: SocketAddr, event: &[u8]) -> Result<Response> {
    http::post(address, PATH, &[("content-type", "application/json")], event).await
}

/// What a 201 says.
///
/// # Errors
/// It is another answer, or does not say it.
pub fn acknowledged(response: &Response) -> Result<Acknowledged> {
    ensure!(response.status == 201, "{} {}", response.status, response.text());
    read_acknowledged(&response.json()?)
}

/// What the answer to a batch says of each event: its acknowledgement, or the problem as it is.
///
/// # Errors
/// It is another answer, or the results are not in order, or the status is not the one they mean.
pub fn results(response: &Response) -> Result<Vec<Result<Acknowledged, Value>>> {
    ensure!(matches!(response.status, 201 | 207), "{} {}", response.status, response.text());
    let body = response.json()?;
    let mut results = Vec::new();
    for (index, result) in body["results"].as_array().context("no results")?.iter().enumerate() {
        ensure!(result["index"] == index, "{result} is result {index}");
        results.push(match result["status"].as_u64() {
            Some(201) => Ok(read_acknowledged(result)?),
            _ => Err(result.clone()),
        });
    }
    let all = results.iter().all(Result::is_ok);
    ensure!(all == (response.status == 201), "{} {body}", response.status);
    Ok(results)
}

fn read_acknowledged(body: &Value) -> Result<Acknowledged> {
    let text = |name: &str| body[name].as_str().with_context(|| format!("no {name} in {body}"));
    let number = |name: &str| body[name].as_i64().with_context(|| format!("no {name} in {body}"));
    Ok(Acknowledged {
        id: text("id")?.parse()?,
        topic: text("topic")?.to_owned(),
        partition: number("partition")?.try_into()?,
        offset: number("offset")?,
    })
}

/// Those acknowledgements that no record of the topic stands behind: events acknowledged and lost.
#[must_use]
pub fn lost(acknowledged: &[Acknowledged], records: &[RawRecord]) -> Vec<Acknowledged> {
    let keys: HashMap<(i32, i64), Option<&[u8]>> = records
        .iter()
        .map(|record| ((record.at.partition, record.at.offset), record.key.as_deref()))
        .collect();
    let is_there = |event: &&Acknowledged| {
        let id = event.id.to_string();
        keys.get(&(event.partition, event.offset)) == Some(&Some(id.as_bytes()))
    };
    acknowledged.iter().filter(|event| !is_there(event)).cloned().collect()
}
