//! Dump and restore: by PostgreSQL's own programs, or, where the installation is without them, by a copy of the database.

use std::path::PathBuf;

use anyhow::Result;

use super::{PostgresServer, SERVER_DEADLINE};
use crate::eventually;

/// A database as it was at one moment. It lives as long as the server it came from.
#[derive(Debug)]
pub enum Dump {
    /// What `pg_dump` wrote.
    File(PathBuf),
    /// The name of a copy on the same server.
    Copy(String),
}

impl PostgresServer {
    /// Takes a consistent dump of a database. Where it has to be a copy, whoever is connected is thrown out first.
    ///
    /// # Errors
    /// `pg_dump` or the copy fails.
    pub async fn dump(&self, database: &str) -> Result<Dump> {
        if !self.install.has("pg_dump") {
            let copy = format!("{database}_copy_{}", fastrand::u64(..));
            self.copy_database(database, &copy).await?;
            return Ok(Dump::Copy(copy));
        }
        let file = self.directory.path().join(format!("{database}-{}.dump", fastrand::u64(..)));
        let target = format!("--file={}", file.display());
        self.client("pg_dump", &["--format=custom", &target, &self.url(database)], &[]).await?;
        Ok(Dump::File(file))
    }

    /// Replaces a database by what the dump holds, under the feet of whoever is connected.
    ///
    /// # Errors
    /// The database cannot be replaced.
    pub async fn restore(&self, database: &str, dump: &Dump) -> Result<()> {
        let client = self.admin().await?;
        let drop = format!("DROP DATABASE \"{database}\" WITH (FORCE)");
        // The server gives the sessions it throws out five seconds to go.
        eventually(SERVER_DEADLINE, "the end of the database", async || {
            Ok(client.batch_execute(&drop).await?)
        })
        .await?;
        // Restored under another name, so that nobody finds it half full.
        let unfinished = format!("{database}_restoring");
        match dump {
            Dump::File(file) => {
                client.batch_execute(&format!("CREATE DATABASE \"{unfinished}\"")).await?;
                let target = format!("--dbname={}", self.url(&unfinished));
                let file = file.display().to_string();
                self.client("pg_restore", &["--exit-on-error", &target, &file], &[]).await?;
            }
            Dump::Copy(copy) => self.copy_database(copy, &unfinished).await?,
        }
        let rename = format!("ALTER DATABASE \"{unfinished}\" RENAME TO \"{database}\"");
        client.batch_execute(&rename).await?;
        Ok(())
    }

    /// A database can only be copied while nobody is connected to it.
    async fn copy_database(&self, from: &str, to: &str) -> Result<()> {
        let client = self.admin().await?;
        let accept = |yes: bool| format!("ALTER DATABASE \"{from}\" ALLOW_CONNECTIONS {yes}");
        client.batch_execute(&accept(false)).await?;
        let end =
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1";
        client.execute(end, &[&from]).await?;
        client.batch_execute(&format!("CREATE DATABASE \"{to}\" TEMPLATE \"{from}\"")).await?;
        client.batch_execute(&accept(true)).await?;
        Ok(())
    }
}
