//! The database as reports see it: it cannot be written to, and an answer may take its time.

use audit_runtime::format::Rows;
use std::time::Duration;

use audit_schema::migrations::OLDEST_REPORT_SCHEMA;
use deadpool_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use crate::database::{self, DatabaseOptions, describe};

/// The options all reports have.
#[derive(Debug, clap::Args)]
pub(super) struct SessionOptions {
    /// How long the database may work on the answer; 0s for as long as it takes
    #[arg(long, env = "AUDIT_TIMEOUT", default_value = "5m", value_name = "DURATION", value_parser = audit_runtime::duration::parse)]
    timeout: Duration,

    #[command(flatten)]
    database: DatabaseOptions,
}

pub(super) struct Session {
    client: Client,
}

impl SessionOptions {
    /// Connects, and makes sure that there is something to report from.
    pub(super) async fn open(&self) -> anyhow::Result<Session> {
        let url = self.database.database_url.read_only(self.timeout);
        let (_, client) = database::connect_once(&url, 1).await?;
        database::check_schema(&client, OLDEST_REPORT_SCHEMA).await?;
        Ok(Session { client })
    }
}

impl Session {
    /// What a statement finds.
    pub(super) async fn query(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> anyhow::Result<Rows> {
        database::rows(&self.client, sql, parameters).await.map_err(|error| {
            let remedy = match error.code() {
                Some(&SqlState::QUERY_CANCELED) => "; --timeout gives it longer",
                _ => "",
            };
            anyhow::anyhow!("cannot read the report: {}{remedy}", describe(&error))
        })
    }
}
