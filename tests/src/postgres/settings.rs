//! What an administrator changes while the server runs.

use anyhow::{Result, ensure};

use super::{PostgresServer, SERVER_DEADLINE};
use crate::eventually;

impl PostgresServer {
    /// Makes every transaction that begins from now on read-only (or writable again), also in
    /// sessions that exist: what a client sees whose primary became a standby.
    ///
    /// # Errors
    /// The server does not take the setting.
    pub async fn set_read_only(&self, read_only: bool) -> Result<()> {
        let wanted = if read_only { "on" } else { "off" };
        self.alter("default_transaction_read_only", wanted).await
    }

    /// Changes a setting in the running server, by `ALTER SYSTEM` and a reload, and waits until new
    /// sessions have it.
    ///
    /// # Errors
    /// There is no such setting, or it needs a restart, or was given at start.
    pub async fn alter(&self, setting: &str, value: &str) -> Result<()> {
        let client = self.admin().await?;
        client.batch_execute(&format!("ALTER SYSTEM SET {setting} = '{value}'")).await?;
        client.batch_execute("SELECT pg_reload_conf()").await?;
        eventually(SERVER_DEADLINE, &format!("{setting} = {value}"), async || {
            let client = self.admin().await?;
            let row = client.query_one("SELECT current_setting($1)", &[&setting]).await?;
            let now: String = row.get(0);
            ensure!(now == value, "{now}");
            Ok(())
        })
        .await
    }

    /// Replaces files of the data directory and has the server read them: new sessions see them,
    /// shortly afterwards.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn replace_files(&self, files: &[(&str, &str)]) -> Result<()> {
        for (name, content) in files {
            self.write_file(name, content)?;
        }
        self.admin().await?.batch_execute("SELECT pg_reload_conf()").await?;
        Ok(())
    }

    /// Ends every session of a database but our own, as an administrator would.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn end_sessions(&self, database: &str) -> Result<()> {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        self.admin().await?.execute(end, &[&database]).await?;
        Ok(())
    }
}
