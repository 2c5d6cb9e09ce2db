//! PostgreSQL's own client programs.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use super::{PostgresServer, SERVER_DEADLINE};
use crate::os::{Launch, Process};

impl PostgresServer {
    /// Runs a program such as `psql` to its end, with further environment variables: the server's, or the one on the
    /// `PATH` where the installation is the server alone. It finds this server by itself.
    ///
    /// # Errors
    /// It is not installed or fails; the error shows its last lines.
    pub async fn client(&self, program: &str, args: &[&str], env: &[(&str, &str)]) -> Result<()> {
        let path = match self.install.has(program) {
            true => self.install.program(program),
            false => PathBuf::from(program),
        };
        let mut launch = Launch::new(path, self.directory.path(), program);
        launch.args = args.iter().map(ToString::to_string).collect();
        let port = self.port.to_string();
        let server = [("PGHOST", "127.0.0.1"), ("PGPORT", &port)];
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        launch.env = server.iter().chain(env).map(owned).collect();
        let process = Process::spawn(launch)?;
        let status = process.wait(SERVER_DEADLINE).await?;
        ensure!(status.success(), "{program} failed, {status}: {}", process.log_tail(20));
        Ok(())
    }
}
