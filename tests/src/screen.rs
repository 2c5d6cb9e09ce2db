//! What a demo prints: a progress line that is updated in place on a terminal, plain lines
//! everywhere else.

use std::{
    env,
    io::{IsTerminal, Write, stderr, stdout},
    process::ExitCode,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Between two lines of progress where lines stay.
const PLAIN_INTERVAL: Duration = Duration::from_secs(3);

/// Standard output, for a person.
#[derive(Debug)]
pub struct Screen {
    is_terminal: bool,
    started: Instant,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// Whether the cursor is on a line that may be overwritten.
    shown: bool,
    last: Option<Instant>,
}

impl Screen {
    /// Begins to count the time.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a time is no default")]
    pub fn new() -> Self {
        let is_terminal =
            stdout().is_terminal() && env::var_os("TERM").is_some_and(|term| term != "dumb");
        Self { is_terminal, started: Instant::now(), progress: Mutex::default() }
    }

    /// A line that stays.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn say(&self, line: impl AsRef<str>) -> Result<()> {
        let clear = if std::mem::take(&mut self.state().shown) { "\r\x1b[K" } else { "" };
        write(&format!("{clear}{}\n", line.as_ref()))
    }

    /// A line that stays, with the time since the start.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn step(&self, line: impl AsRef<str>) -> Result<()> {
        self.say(self.timed(line.as_ref()))
    }

    /// Where things stand. Replaced by the next on a terminal; left out elsewhere unless the last was
    /// some time ago.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn progress(&self, line: &str) -> Result<()> {
        let mut progress = self.state();
        if self.is_terminal {
            progress.shown = true;
            return write(&format!("\r{}\x1b[K", self.timed(line)));
        }
        if progress.last.is_none_or(|last| last.elapsed() >= PLAIN_INTERVAL) {
            progress.last = Some(Instant::now());
            write(&format!("{}\n", self.timed(line)))?;
        }
        Ok(())
    }

    /// Why it went wrong, on standard error.
    pub fn fail(&self, error: &anyhow::Error, code: u8) -> ExitCode {
        let clear = if self.state().shown { "\n" } else { "" };
        // There is nobody left to tell that it cannot be told.
        writeln!(stderr(), "{clear}error: {error:#}").ok();
        ExitCode::from(code)
    }

    /// Runs a demo to its end, or until it is told to stop: everything that it has started ends with it.
    pub async fn run(&self, demo: impl Future<Output = Result<bool>>) -> ExitCode {
        tokio::select! {
            outcome = demo => match outcome {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => self.fail(&error, 1),
            },
            stopped = told_to_stop() => match stopped {
                Ok(()) => ExitCode::from(130),
                Err(error) => self.fail(&error, 1),
            },
        }
    }

    fn timed(&self, line: &str) -> String {
        format!("[{:5.1} s] {line}", self.started.elapsed().as_secs_f64())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for SIGINT or SIGTERM.
///
/// # Errors
/// They cannot be listened for.
pub async fn told_to_stop() -> Result<()> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn write(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write to standard output")
}
