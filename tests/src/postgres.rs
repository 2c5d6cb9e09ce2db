//! A real PostgreSQL server with a data directory of its own.

mod backup;
mod client;
mod disk;
mod install;
mod settings;

use std::{
    collections::BTreeMap,
    fs::Permissions,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

pub use self::{backup::Dump, disk::SmallDisk};
use self::{disk::Mount, install::Installation};
use crate::{
    eventually,
    os::{Launch, Process, Reaper, free_port},
};

/// The role that owns everything.
pub const USER: &str = "audit";
/// Its password; another one is refused.
pub const PASSWORD: &str = "audit-secret";

/// How long a server may take to start, recovery included, or to stop.
const SERVER_DEADLINE: Duration = Duration::from_secs(180);
/// How long it may take to accept a connection, on a busy machine.
const CONNECT_DEADLINE: Duration = Duration::from_secs(30);

/// A server on a port of 127.0.0.1. It ends when dropped, or with the test process.
#[derive(Debug)]
pub struct PostgresServer {
    install: Installation,
    port: u16,
    settings: BTreeMap<String, String>,
    process: Mutex<Option<Arc<Process>>>,
    // Fields are dropped in this order: the server ends, then its disks and its directory go.
    mounts: Mutex<Vec<Mount>>,
    directory: TempDir,
}

impl PostgresServer {
    /// Makes a data directory and starts a server with these settings on top of the defaults.
    ///
    /// # Errors
    /// PostgreSQL is not installed (`make setup`), or does not start.
    pub async fn start_new(settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_with_files(settings, &[]).await
    }

    /// The same, with these files in the data directory, such as `server.key` or another `pg_hba.conf`.
    ///
    /// # Errors
    /// As for [`Self::start_new`].
    pub async fn start_with_files(
        settings: &[(&str, &str)],
        files: &[(&str, &str)],
    ) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("audit-postgres-").tempdir()?;
        Reaper::remove(directory.path());
        let mut all = BTreeMap::from([
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", ""),
            ("max_connections", "200"),
            ("shared_buffers", "128MB"),
            ("max_wal_size", "2GB"),
            // Without a checkpoint at once, a stop takes as long as its checkpoint is spread.
            ("checkpoint_completion_target", "0.1"),
        ]);
        all.extend(settings.iter().copied());
        let server = Self {
            install: Installation::find()?,
            port: free_port(),
            settings: all.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            process: Mutex::new(None),
            mounts: Mutex::new(Vec::new()),
            directory,
        };
        server.make_data_directory().await?;
        for (name, content) in files {
            server.write_file(name, content)?;
        }
        server.start().await?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The URL of a database of this server, password included.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@{}/{database}", self.address())
    }

    /// Creates an empty database and returns its URL.
    ///
    /// # Errors
    /// It exists.
    pub async fn create_database(&self, name: &str) -> Result<String> {
        self.admin().await?.batch_execute(&format!("CREATE DATABASE \"{name}\"")).await?;
        Ok(self.url(name))
    }

    /// A connection to a database, driven in the background.
    ///
    /// # Errors
    /// The server does not accept it.
    pub async fn connect(&self, database: &str) -> Result<Client> {
        connect(&self.url(database)).await
    }

    /// Starts the server again after [`Self::stop`] or [`Self::crash`] and waits until it accepts
    /// connections.
    ///
    /// # Errors
    /// It runs already, or does not come up.
    pub async fn start(&self) -> Result<()> {
        ensure!(self.running().is_err(), "the server runs already");
        let mut launch = self.launch("postgres", "server");
        launch.args = vec![
            "-D".into(),
            self.data_directory().display().to_string(),
            "-p".into(),
            self.port.to_string(),
        ];
        for (name, value) in &self.settings {
            launch.args.extend(["-c".into(), format!("{name}={value}")]);
        }
        // Immediate shutdown: needs no checkpoint, yet takes the shared memory along.
        launch.last_signal = Signal::SIGQUIT;
        let process = Arc::new(Process::spawn(launch)?);
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        eventually(SERVER_DEADLINE, "PostgreSQL to accept connections", async || {
            self.running()?;
            self.admin().await.map(drop)
        })
        .await
    }

    /// Fast shutdown: sessions are cut, all is written, as by `pg_ctl stop`.
    ///
    /// # Errors
    /// It does not run or does not end.
    pub async fn stop(&self) -> Result<()> {
        let process = self.running()?;
        process.signal(Signal::SIGINT)?;
        process.wait(SERVER_DEADLINE).await?;
        Ok(())
    }

    /// SIGKILL for all of its processes at once: what was not flushed is recovered from the log.
    ///
    /// # Errors
    /// It does not run.
    pub async fn crash(&self) -> Result<()> {
        self.running()?.kill_all().await
    }

    /// Stops it and starts it again.
    ///
    /// # Errors
    /// As for [`Self::stop`] and [`Self::start`].
    pub async fn restart(&self) -> Result<()> {
        self.stop().await?;
        self.start().await
    }

    /// SIGSTOP for all of its processes: connections stay, nothing is answered.
    ///
    /// # Errors
    /// It does not run.
    pub fn pause(&self) -> Result<()> {
        self.running()?.signal_all(Signal::SIGSTOP)
    }

    /// SIGCONT after [`Self::pause`].
    ///
    /// # Errors
    /// It does not run.
    pub fn resume(&self) -> Result<()> {
        self.running()?.signal_all(Signal::SIGCONT)
    }

    /// The last lines of the server's log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.as_ref().map_or_else(String::new, |process| process.log_tail(lines))
    }

    async fn admin(&self) -> Result<Client> {
        self.connect("postgres").await
    }

    fn running(&self) -> Result<Arc<Process>> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let running = process.as_ref().context("PostgreSQL was not started")?;
        if let Some(status) = running.status()? {
            anyhow::bail!("PostgreSQL has ended, {status}:\n{}", running.log_tail(20));
        }
        Ok(running.clone())
    }

    async fn make_data_directory(&self) -> Result<()> {
        self.give_to_server(self.directory.path())?;
        let password = self.directory.path().join("password");
        std::fs::write(&password, PASSWORD)?;
        self.give_to_server(&password)?;
        let mut launch = self.launch("initdb", "initdb");
        launch.args = [
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "--auth=scram-sha-256",
            &format!("--username={USER}"),
            &format!("--pwfile={}", password.display()),
            &self.data_directory().display().to_string(),
        ]
        .map(ToOwned::to_owned)
        .to_vec();
        let initdb = Process::spawn(launch)?;
        let status = initdb.wait(SERVER_DEADLINE).await?;
        ensure!(status.success(), "initdb failed, {status}: {}", initdb.log_tail(20));
        Ok(())
    }

    /// Writes a file of the data directory that is the server's alone, as it wants its keys to be.
    fn write_file(&self, name: &str, content: &str) -> Result<()> {
        let path = self.data_directory().join(name);
        std::fs::write(&path, content)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        self.give_to_server(&path)
    }

    fn launch(&self, program: &str, name: &str) -> Launch {
        let mut launch = Launch::new(self.install.program(program), self.directory.path(), name);
        launch.user = self.install.user;
        launch
    }

    /// The server refuses to run as root, and insists on owning its files.
    fn give_to_server(&self, path: &Path) -> Result<()> {
        match self.install.user {
            Some((user, group)) => chown(path, Some(user), Some(group))
                .with_context(|| format!("give {} to the server", path.display())),
            None => Ok(()),
        }
    }

    fn data_directory(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

/// A connection by URL, driven in the background; it ends with the runtime or the client.
///
/// # Errors
/// The server does not accept it within half a minute.
pub async fn connect(url: &str) -> Result<Client> {
    let connecting = tokio_postgres::connect(url, NoTls);
    let (client, connection) = tokio::time::timeout(CONNECT_DEADLINE, connecting)
        .await
        .with_context(|| format!("no answer within {CONNECT_DEADLINE:?}"))??;
    tokio::spawn(connection);
    Ok(client)
}
