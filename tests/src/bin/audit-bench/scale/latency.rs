//! How long events take until they can be seen.

use std::collections::HashMap;

use anyhow::{Context, Result};
use tokio_postgres::Client;
use uuid::Uuid;

use super::live::Published;

/// One event's way; microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// When it was given to the publisher.
    pub(super) published: i64,
    /// When the broker appended it: whole milliseconds.
    pub(super) appended: i64,
    /// When its transaction was committed, as the server notes it.
    pub(super) committed: i64,
}

/// The ways of all these events, which must be stored.
pub(super) async fn ways(client: &Client, published: Vec<Published>) -> Result<Vec<Way>> {
    let since = published.first().context("nothing was published")?.1;
    // A millisecond earlier, which is what the broker's clock leaves out.
    let sql = "SELECT id, (extract(epoch FROM record_timestamp) * 1000000)::bigint,
        (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint
        FROM workflow_execution_audit WHERE record_timestamp >= to_timestamp($1::bigint / 1000000.0) - interval '1 ms'";
    let mut stored = HashMap::new();
    for row in client.query(sql, &[&since]).await? {
        stored.insert(row.try_get::<_, Uuid>(0)?, (row.try_get(1)?, row.try_get(2)?));
    }
    let way = |(id, published)| {
        let (appended, committed) = *stored.get(&id).with_context(|| format!("{id} is lost"))?;
        Ok(Way { published, appended, committed })
    };
    published.into_iter().map(way).collect()
}
