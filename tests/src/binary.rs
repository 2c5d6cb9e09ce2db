//! The project's own binaries: what to run, and running it to its end.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::{
    os::{Launch, OpenFiles, Process, Reaper, free_port},
    service::Service,
};

/// How long a command may take until it has ended, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(180);

/// What to run: a binary of the workspace, its arguments and surroundings. None of our own
/// `AUDIT_..` variables reach it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Binary {
    name: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Option<PathBuf>,
    open_files: Option<OpenFiles>,
    quiet: bool,
}

impl Binary {
    /// A binary of the workspace by its name, such as `audit-consumer`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            stdin: None,
            open_files: None,
            quiet: false,
        }
    }

    /// Adds arguments.
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds an environment variable.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Gives it a file as standard input.
    pub fn stdin(mut self, path: &Path) -> Self {
        self.stdin = Some(path.to_owned());
        self
    }

    /// Limits its open files.
    pub fn open_files(mut self, limit: u32) -> Self {
        self.open_files = Some(OpenFiles::Hard(limit));
        self
    }

    /// Limits its open files as long as it does not raise the limit itself.
    pub fn open_files_at_first(mut self, limit: u32) -> Self {
        self.open_files = Some(OpenFiles::Soft(limit));
        self
    }

    /// Does not show its last lines when it ends as a service.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The file to run, for a test that has another program start it.
    ///
    /// # Errors
    /// It is not built.
    pub fn path(&self) -> Result<PathBuf> {
        built(&self.name)
    }

    /// Starts it as a service on a free admin port, without waiting for anything.
    ///
    /// # Errors
    /// It is not built.
    pub fn start(self) -> Result<Service> {
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let binary = self.env("AUDIT_ADMIN_LISTEN", admin.to_string());
        let (process, directory) = binary.spawn()?;
        Ok(Service::new(binary.name, process, admin, !binary.quiet, directory))
    }

    /// Starts it as a service and waits until it is ready.
    ///
    /// # Errors
    /// It is not built, ends, or does not become ready.
    pub async fn start_ready(self) -> Result<Service> {
        let service = self.start()?;
        service.ready().await?;
        Ok(service)
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// It is not built, or still runs after three minutes.
    pub async fn run(self) -> Result<Output> {
        let (process, directory) = self.spawn()?;
        let status = process.wait(DEADLINE).await?;
        Ok(Output {
            command: format!("{} {}", self.name, self.args.join(" ")),
            code: status.code(),
            stdout: fs::read_to_string(directory.path().join("stdout"))?,
            stderr: fs::read_to_string(process.log_path())?,
        })
    }

    fn spawn(&self) -> Result<(Process, TempDir)> {
        let directory = tempfile::Builder::new().prefix("audit-service-").tempdir()?;
        Reaper::remove(directory.path());
        let mut launch = Launch::new(built(&self.name)?, directory.path(), "stderr");
        launch.stdout = Some(directory.path().join("stdout"));
        launch.args.clone_from(&self.args);
        if let Some(stdin) = &self.stdin {
            launch.stdin.clone_from(stdin);
        }
        launch.env.clone_from(&self.env);
        launch.env_remove =
            env::vars().map(|(name, _)| name).filter(|name| name.starts_with("AUDIT_")).collect();
        launch.open_files = self.open_files;
        Ok((Process::spawn(launch)?, directory))
    }
}

/// What a command that has ended left.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command line.
    pub command: String,
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Its results.
    pub stdout: String,
    /// Its logs and errors.
    pub stderr: String,
}

impl Output {
    /// Its results, given that it exited with 0.
    ///
    /// # Errors
    /// It did not.
    pub fn success(self) -> Result<String> {
        if self.code != Some(0) {
            bail!("`{}` exited with {:?}:\n{}", self.command, self.code, self.stderr);
        }
        Ok(self.stdout)
    }
}

/// Where a binary of the workspace is: Cargo puts them beside the `deps` directory of the test executables.
///
/// # Errors
/// It is not built.
pub fn built(name: &str) -> Result<PathBuf> {
    let us = env::current_exe().context("find the test executable")?;
    let directory = us
        .ancestors()
        .skip(1)
        .find(|directory| !directory.ends_with("deps") && !directory.ends_with("examples"))
        .unwrap_or(Path::new("."));
    let binary = directory.join(name);
    ensure!(
        binary.is_file(),
        "{} is not built: run `cargo build --workspace --bins` (`make test` does)",
        binary.display()
    );
    Ok(binary)
}
