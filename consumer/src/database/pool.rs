//! One pool for everything a process does with the database.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use audit_runtime::exit::UsageError;
use deadpool_postgres::{
    Client, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime,
};
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;

use super::error::describe_pool;
use super::options::DatabaseUrl;

/// How long to wait for a connection to be opened, or for one that is in use.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pool. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    place: Arc<str>,
}

impl Database {
    /// Sets up a pool of at most `connections`; none is opened yet.
    ///
    /// # Errors
    /// A TLS file that cannot be used.
    pub fn new(url: &DatabaseUrl, connections: usize) -> anyhow::Result<Self> {
        // A connection that failed is dropped by whoever saw the error, so a cheap check is enough here.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = if url.config.get_ssl_mode() == SslMode::Disable {
            Manager::from_config(url.config.clone(), NoTls, recycling)
        } else {
            let unusable = |error| UsageError(format!("--database-url: {error}"));
            url.tls.client_config().map_err(unusable)?;
            Manager::from_config(url.config.clone(), url.tls.clone(), recycling)
        };
        let pool = Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(PATIENCE))
            .wait_timeout(Some(PATIENCE))
            .build()
            .context("cannot set up the connection pool")?;
        Ok(Self { pool, place: url.place().into() })
    }

    /// A connection from the pool, opened if none is idle.
    ///
    /// # Errors
    /// Whatever kept the connection from being made.
    pub async fn get(&self) -> Result<Client, PoolError> {
        self.pool.get().await
    }

    /// That there is no connection, and why, as one line that names the option.
    pub fn unreachable(&self, error: &PoolError) -> anyhow::Error {
        let (place, why) = (self.place(), describe_pool(error));
        anyhow::anyhow!("cannot connect to the database {place} (--database-url): {why}")
    }

    /// Host, port and database, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }
}

/// Opens a pool and its first connection, for commands that fail at once when there is no database.
///
/// # Errors
/// One line that says what is wrong with the database or the way to it.
pub async fn connect_once(
    url: &DatabaseUrl,
    connections: usize,
) -> anyhow::Result<(Database, Client)> {
    let database = Database::new(url, connections)?;
    let client = database.get().await.map_err(|error| database.unreachable(&error))?;
    Ok((database, client))
}
