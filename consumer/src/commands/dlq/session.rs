//! The database as these commands use it.

use audit_schema::migrations::OLDEST_DEAD_LETTER_SCHEMA;
use deadpool_postgres::Client;

use crate::database::{self, Database, DatabaseUrl, describe};

/// Connects, and makes sure that dead letters have what the commands need.
pub(super) async fn open(
    url: &DatabaseUrl,
    connections: usize,
) -> anyhow::Result<(Database, Client)> {
    let (database, client) = database::connect_once(url, connections).await?;
    database::check_schema(&client, OLDEST_DEAD_LETTER_SCHEMA).await?;
    Ok((database, client))
}

/// What could not be done with dead letters, and why.
pub(super) fn failed(what: &str) -> impl Fn(tokio_postgres::Error) -> anyhow::Error {
    move |error| anyhow::anyhow!("cannot {what} dead letters: {}", describe(&error))
}
