//! The store behind an API server.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{arguments, install};
use crate::{
    eventually, http,
    os::{Launch, Process, free_port},
};

const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Etcd {
    port: u16,
    peer_port: u16,
    directory: PathBuf,
    process: Mutex<Option<Process>>,
}

impl Etcd {
    pub(super) fn start(directory: &Path) -> Result<Self> {
        let etcd = Self {
            port: free_port(),
            peer_port: free_port(),
            directory: directory.to_owned(),
            process: Mutex::default(),
        };
        etcd.spawn()?;
        Ok(etcd)
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// SIGKILL, and once more from its files.
    pub(super) async fn restart(&self) -> Result<()> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        let process = process.context("etcd does not run")?;
        process.signal(Signal::SIGKILL)?;
        process.wait(DEADLINE).await?;
        self.spawn()?;
        eventually(DEADLINE, "etcd to answer", async || self.revision().await).await?;
        Ok(())
    }

    /// Forgets everything older than now.
    pub(super) async fn compact(&self) -> Result<()> {
        let revision = self.revision().await?;
        self.ask("/v3/kv/compaction", &json!({"revision": revision, "physical": true})).await?;
        Ok(())
    }

    async fn revision(&self) -> Result<String> {
        let status = self.ask("/v3/maintenance/status", &json!({})).await?;
        Ok(status["header"]["revision"].as_str().context("no revision")?.to_owned())
    }

    async fn ask(&self, path: &str, question: &Value) -> Result<Value> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let answer = http::post(address, path, &[], question.to_string().as_bytes()).await?;
        ensure!(answer.status == 200, "{path}: {}", answer.text());
        answer.json()
    }

    fn spawn(&self) -> Result<()> {
        let (url, peers) = (self.url(), format!("http://127.0.0.1:{}", self.peer_port));
        let mut launch = Launch::new(install::program("etcd")?, &self.directory, "etcd");
        launch.args = arguments(&[
            ("name", "tests"),
            ("data-dir", &self.directory.join("etcd").display().to_string()),
            ("unsafe-no-fsync", "true"),
            ("log-level", "warn"),
            ("listen-client-urls", &url),
            ("advertise-client-urls", &url),
            ("listen-peer-urls", &peers),
            ("initial-advertise-peer-urls", &peers),
            ("initial-cluster", &format!("tests={peers}")),
        ]);
        let process = Process::spawn(launch)?;
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        Ok(())
    }
}
