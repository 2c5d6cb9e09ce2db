//! One state of the database, for as long as it is looked at.

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use deadpool_postgres::Client;
use futures_util::{TryStreamExt, pin_mut};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::database::describe;

/// A transaction that reads, and sees nothing of what is written meanwhile.
pub(super) struct Snapshot<'a> {
    client: &'a Client,
    /// Everything that is seen was written before.
    pub(super) taken_at: DateTime<Utc>,
}

impl<'a> Snapshot<'a> {
    pub(super) async fn take(client: &'a Client) -> anyhow::Result<Self> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        client.batch_execute(begin).await.map_err(|error| unreadable(&error))?;
        // The first query is what takes it.
        let row = client
            .query_one("SELECT clock_timestamp()", &[])
            .await
            .map_err(|error| unreadable(&error))?;
        Ok(Self { client, taken_at: row.get(0) })
    }

    /// Lets go of it, so that the server can clean up behind it.
    pub(super) async fn release(self) -> anyhow::Result<()> {
        self.client.batch_execute("COMMIT").await.map_err(|error| unreadable(&error))
    }

    /// Gives each row of a statement as it arrives: no table is ever held as a whole.
    pub(super) async fn each(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
        mut take: impl FnMut(&Row) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let rows = self.client.query_raw(sql, parameters.iter().copied());
        let rows = rows.await.map_err(|error| unreadable(&error))?;
        pin_mut!(rows);
        while let Some(row) = rows.try_next().await.map_err(|error| unreadable(&error))? {
            take(&row)?;
        }
        Ok(())
    }
}

fn unreadable(error: &tokio_postgres::Error) -> anyhow::Error {
    anyhow!("cannot read the database: {}", describe(error))
}
