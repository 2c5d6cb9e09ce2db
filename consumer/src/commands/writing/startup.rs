//! Whether everything that a stream needs is there.

use std::time::{Duration, Instant};

use deadpool_postgres::PoolError;
use tracing::warn;

use crate::database::{self, Database, RightsError};
use crate::kafka::Probe;

/// Whether database, schema, rights and topic are there; gives the topic's partitions. Waits for what may still come up.
///
/// # Errors
/// What is missing and what to do, once waiting cannot help or has been long enough.
pub(super) async fn check(
    database: &Database,
    oldest_schema: i32,
    probe: &Probe,
    patience: Duration,
) -> anyhow::Result<i32> {
    let deadline = Instant::now() + patience;
    loop {
        let Failure { error, may_pass } = match check_once(database, oldest_schema, probe).await {
            Ok(partitions) => return Ok(partitions),
            Err(failure) => failure,
        };
        if !may_pass || Instant::now() >= deadline {
            return Err(error);
        }
        warn!("waiting: {error:#}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Says which settings of the topic differ from what the project asks for.
pub(in crate::commands) async fn warn_about_topic(probe: &Probe) {
    for (setting, actual) in probe.unmet_settings().await {
        let (name, wanted) = (setting.name, setting.value);
        warn!(
            "the topic has {name}={actual}, wanted is {wanted}: `audit-producer topic check` says more"
        );
    }
}

struct Failure {
    error: anyhow::Error,
    /// Whether it may be over by itself: something that is still starting, or a network that is away.
    may_pass: bool,
}

async fn check_once(
    database: &Database,
    oldest_schema: i32,
    probe: &Probe,
) -> Result<i32, Failure> {
    let client = database.get().await.map_err(|error| {
        let may_pass = match &error {
            PoolError::Backend(error) => may_pass(error),
            _ => true,
        };
        Failure { error: database.unreachable(&error), may_pass }
    })?;
    database::check_schema(&client, oldest_schema).await.map_err(|error| {
        let may_pass = error.is_retriable();
        Failure { error: error.into(), may_pass }
    })?;
    database::check_rights(&client).await.map_err(|error| {
        let may_pass = matches!(error, RightsError::Query(_));
        Failure { error: error.into(), may_pass }
    })?;
    // A broker that does not know the topic may just not have heard of it yet.
    probe.partitions().await.map_err(|error| Failure { error, may_pass: true })
}

/// An answer of the server is final, unless it is about resources (53) or the server's own start or stop (57).
fn may_pass(error: &tokio_postgres::Error) -> bool {
    error.code().is_none_or(|code| code.code().starts_with("53") || code.code().starts_with("57"))
}
