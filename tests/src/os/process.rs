//! One child process: started under watch, signalled, waited for, ended.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use super::{
    Reaper,
    family::{deliver, descendants, is_alive, send},
};
use crate::eventually;

/// How long a process may take to follow its last signal before it is killed.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How long it may take to be gone after SIGKILL, on a busy machine.
const GONE: Duration = Duration::from_secs(60);

/// A limit on open files.
#[derive(Clone, Copy, Debug)]
pub enum OpenFiles {
    /// For good.
    Hard(u32),
    /// Until the process raises it.
    Soft(u32),
}

/// How to start a process.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program; looked up on the `PATH` unless it is a path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Environment variables of ours that it does not get.
    pub env_remove: Vec<String>,
    /// Environment variables added to ours.
    pub env: Vec<(String, String)>,
    /// Its working directory.
    pub directory: PathBuf,
    /// Where standard input comes from.
    pub stdin: PathBuf,
    /// Where standard error goes, and standard output unless that has its own file. Appended to.
    pub log: PathBuf,
    /// Where standard output goes when it is to be told apart from the log.
    pub stdout: Option<PathBuf>,
    /// User and group to run as, when not ours.
    pub user: Option<(u32, u32)>,
    /// Limit on open files.
    pub open_files: Option<OpenFiles>,
    /// The signal that ends it for good: what a drop, or the end of the test process, sends.
    pub last_signal: Signal,
}

impl Launch {
    /// A process in `directory` that logs to `directory/NAME.log` and is ended by SIGKILL.
    pub fn new(program: impl Into<PathBuf>, directory: &Path, name: &str) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env_remove: Vec::new(),
            env: Vec::new(),
            directory: directory.to_owned(),
            stdin: "/dev/null".into(),
            log: directory.join(format!("{name}.log")),
            stdout: None,
            user: None,
            open_files: None,
            last_signal: Signal::SIGKILL,
        }
    }

    fn command(&self) -> Result<Command> {
        // The shell waits for a line before it becomes the program, so that the process is under
        // the reaper's watch before it does anything. If we die first, it reads the end and exits.
        let limit = match self.open_files {
            None => String::new(),
            Some(OpenFiles::Hard(limit)) => format!("ulimit -n {limit} && "),
            Some(OpenFiles::Soft(limit)) => format!("ulimit -S -n {limit} && "),
        };
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("read -r go && {limit}exec \"$@\" <\"$0\"")])
            .arg(&self.stdin)
            .arg(&self.program)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.directory)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(append_to(self.stdout.as_ref().unwrap_or(&self.log))?)
            .stderr(append_to(&self.log)?);
        for name in
            self.env_remove.iter().filter(|name| !self.env.iter().any(|(set, _)| set == *name))
        {
            command.env_remove(name);
        }
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        Ok(command)
    }
}

fn append_to(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).open(path).with_context(|| format!("open {}", path.display()))
}

/// A running child process. Ended on drop, and by the reaper should this process vanish.
#[derive(Debug)]
pub struct Process {
    child: Mutex<Child>,
    pid: u32,
    launch: Launch,
}

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// The program, its directory or its log cannot be opened.
    pub fn spawn(launch: Launch) -> Result<Self> {
        let mut child = launch
            .command()?
            .spawn()
            .with_context(|| format!("start {}", launch.program.display()))?;
        let pid = child.id();
        Reaper::watch(pid, launch.last_signal);
        let mut go = child.stdin.take().context("standard input is a pipe")?;
        go.write_all(b"go\n").with_context(|| format!("start {}", launch.program.display()))?;
        Ok(Self { child: Mutex::new(child), pid, launch })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal to the process alone.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if let Some(status) = self.status()? {
            bail!("process {} has ended: {status}", self.pid);
        }
        deliver(self.pid, signal);
        Ok(())
    }

    /// Sends a signal to the process, then to all that descend from it.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal_all(&self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        for pid in descendants(self.pid) {
            deliver(pid, signal);
        }
        Ok(())
    }

    /// How it ended, or `None` while it runs.
    ///
    /// # Errors
    /// The operating system refuses to tell.
    pub fn status(&self) -> Result<Option<ExitStatus>> {
        let status = self.child().try_wait()?;
        if status.is_some() {
            Reaper::forget(self.pid);
        }
        Ok(status)
    }

    /// Waits for it to end by itself.
    ///
    /// # Errors
    /// It still runs after `limit`.
    pub async fn wait(&self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.launch.program.display());
        eventually(limit, &what, async || {
            self.status()?.with_context(|| {
                format!("process {} runs; its last lines:\n{}", self.pid, self.log_tail(20))
            })
        })
        .await
    }

    /// Kills it and everything that descends from it with SIGKILL, as a power cut would, and waits
    /// until all of them are gone.
    ///
    /// # Errors
    /// They do not go.
    pub async fn kill_all(&self) -> Result<()> {
        // Stopped, it has no more children than those that are found.
        deliver(self.pid, Signal::SIGSTOP);
        let family = descendants(self.pid);
        send(self.pid, Signal::SIGKILL);
        for &pid in &family {
            send(pid, Signal::SIGKILL);
        }
        self.wait(GONE).await?;
        eventually(GONE, "the end of its descendants", async || {
            match family.iter().find(|&&pid| is_alive(pid)) {
                Some(pid) => bail!("process {pid} is alive"),
                None => Ok(()),
            }
        })
        .await
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.launch.log, lines).unwrap_or_else(|error| format!("(no log: {error})"))
    }

    /// The file its log goes to.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.launch.log
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.status(), Ok(Some(_))) {
            return;
        }
        let family = descendants(self.pid);
        send(self.pid, self.launch.last_signal);
        for pid in family.iter().copied().chain([self.pid]) {
            send(pid, Signal::SIGCONT);
        }
        let killed_at = Instant::now() + LAST_WORDS;
        while matches!(self.status(), Ok(None)) && Instant::now() < killed_at {
            thread::sleep(Duration::from_millis(5));
        }
        if matches!(self.status(), Ok(None)) {
            send(self.pid, Signal::SIGKILL);
            // The only possible failure is that it is no longer ours to wait for.
            self.child().wait().ok();
            Reaper::forget(self.pid);
        }
        for pid in family.into_iter().filter(|&pid| is_alive(pid)) {
            send(pid, Signal::SIGKILL);
        }
    }
}

/// The last lines of a file, looking at its last 64 KiB only.
fn tail(path: &Path, lines: usize) -> std::io::Result<String> {
    const WINDOW: u64 = 64 * 1024;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(WINDOW)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}
