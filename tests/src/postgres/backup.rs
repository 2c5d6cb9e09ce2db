//! Dump and restore.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use super::{PostgresServer, SERVER_DEADLINE};
use crate::os::{Launch, Process};

/// A database as it was at one moment. It lives as long as the server it came from.
#[derive(Debug)]
pub struct Dump(PathBuf);

impl PostgresServer {
    /// Takes a dump of a database, consistent and without holding anyone up.
    ///
    /// # Errors
    /// `pg_dump` fails.
    pub async fn dump(&self, database: &str) -> Result<Dump> {
        let file = self.directory.path().join(format!("{database}-{}.dump", fastrand::u64(..)));
        let target = format!("--file={}", file.display());
        self.run("pg_dump", &["--format=custom", &target, &self.url(database)]).await?;
        Ok(Dump(file))
    }

    /// Replaces a database by what the dump holds, under the feet of whoever is connected.
    ///
    /// # Errors
    /// The database cannot be replaced.
    pub async fn restore(&self, database: &str, dump: &Dump) -> Result<()> {
        let client = self.admin().await?;
        client.batch_execute(&format!("DROP DATABASE \"{database}\" WITH (FORCE)")).await?;
        // Restored under another name, so that nobody finds it half full.
        let unfinished = format!("{database}_restoring");
        client.batch_execute(&format!("CREATE DATABASE \"{unfinished}\"")).await?;
        let target = format!("--dbname={}", self.url(&unfinished));
        self.run("pg_restore", &["--exit-on-error", &target, &dump.0.display().to_string()])
            .await?;
        let rename = format!("ALTER DATABASE \"{unfinished}\" RENAME TO \"{database}\"");
        client.batch_execute(&rename).await?;
        Ok(())
    }

    async fn run(&self, program: &str, args: &[&str]) -> Result<()> {
        let mut launch = Launch::new(self.install.program(program), self.directory.path(), program);
        launch.args = args.iter().map(ToString::to_string).collect();
        let process = Process::spawn(launch)?;
        let status = process.wait(SERVER_DEADLINE).await?;
        ensure!(status.success(), "{program} failed, {status}: {}", process.log_tail(20));
        Ok(())
    }
}
