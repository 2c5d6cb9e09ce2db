//! A binary that runs until it is told to end.

use std::{fs, net::SocketAddr, process::ExitStatus, time::Duration};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::{
    eventually, http,
    metrics::{
        Metrics,
        exposition::{self, Exposition},
    },
    os::Process,
};

/// How long a service may take until it is ready, or to be gone after SIGKILL, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(180);

/// A running service. It is killed on drop, and its last lines become part of the test's output.
#[derive(Debug)]
pub struct Service {
    name: String,
    process: Process,
    admin: SocketAddr,
    shows_log: bool,
    /// Removed after the process has ended: fields are dropped in this order.
    directory: TempDir,
}

impl Service {
    pub(crate) fn new(
        name: String,
        process: Process,
        admin: SocketAddr,
        shows_log: bool,
        directory: TempDir,
    ) -> Self {
        Self { name, process, admin, shows_log, directory }
    }

    /// Waits until `/readyz` says so.
    ///
    /// # Errors
    /// The service has ended, or is not ready after three minutes.
    pub async fn ready(&self) -> Result<()> {
        eventually(DEADLINE, &format!("{} to be ready", self.name), async || {
            if let Some(status) = self.process.status()? {
                return Ok(Err(status));
            }
            let response = http::get(self.admin, "/readyz").await?;
            ensure!(response.status == 200, "/readyz: {} {}", response.status, response.text());
            Ok(Ok(()))
        })
        .await?
        .map_err(|status| anyhow::anyhow!("{} has ended, {status}", self.name))
        .with_context(|| self.log_tail(30))
    }

    /// Where `/livez`, `/readyz` and `/metrics` are.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The largest resident set it has had so far, in bytes.
    ///
    /// # Errors
    /// It has ended.
    pub fn peak_memory(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    /// The resident set it has now, in bytes.
    ///
    /// # Errors
    /// It has ended.
    pub fn resident_memory(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    fn memory(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib: u64 =
            line.context("no such line in its status")?.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }

    /// Its metrics now.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metrics(&self) -> Result<Metrics> {
        let response = http::get(self.admin, "/metrics").await?;
        ensure!(response.status == 200, "/metrics: {}", response.status);
        Metrics::parse(&response.text())
    }

    /// Its metrics now, taken strictly.
    ///
    /// # Errors
    /// It does not answer, or not quite in the Prometheus text format.
    pub async fn exposition(&self) -> Result<Exposition> {
        let response = http::get(self.admin, "/metrics").await?;
        let format = response.header("content-type");
        ensure!(format == Some("text/plain; version=0.0.4"), "it is {format:?}");
        exposition::parse(std::str::from_utf8(&response.body)?)
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// It has ended already, or takes longer than `limit`.
    pub async fn terminate(&self, limit: Duration) -> Result<ExitStatus> {
        self.process.signal(Signal::SIGTERM)?;
        self.process.wait(limit).await
    }

    /// SIGKILL, and waits for its end.
    ///
    /// # Errors
    /// It has ended already.
    pub async fn kill(&self) -> Result<()> {
        self.process.signal(Signal::SIGKILL)?;
        self.process.wait(DEADLINE).await?;
        Ok(())
    }

    /// SIGSTOP.
    ///
    /// # Errors
    /// It has ended.
    pub fn pause(&self) -> Result<()> {
        self.process.signal(Signal::SIGSTOP)
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// It has ended.
    pub fn resume(&self) -> Result<()> {
        self.process.signal(Signal::SIGCONT)
    }

    /// Waits for it to end by itself.
    ///
    /// # Errors
    /// It runs longer than `limit`.
    pub async fn wait(&self, limit: Duration) -> Result<ExitStatus> {
        self.process.wait(limit).await
    }

    /// How it ended, or `None` while it runs.
    ///
    /// # Errors
    /// The operating system refuses to tell.
    pub fn status(&self) -> Result<Option<ExitStatus>> {
        self.process.status()
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        self.process.log_tail(lines)
    }

    /// Its whole log.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.process.log_path())?)
    }

    /// What it has written to standard output.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn stdout(&self) -> Result<String> {
        Ok(fs::read_to_string(self.directory.path().join("stdout"))?)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.shows_log {
            #[expect(clippy::print_stderr, reason = "the test runner shows it if the test fails")]
            {
                eprintln!("--- {} (process {}) ---\n{}", self.name, self.pid(), self.log_tail(40));
            }
        }
    }
}
