//! A watchdog process per test process.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{ChildStdin, Command, Stdio},
    sync::{LazyLock, Mutex, PoisonError},
};

use nix::sys::signal::Signal;

const SCRIPT: &str = include_str!("reaper.sh");

/// What must be ended or removed when this process is gone, however it goes: destructors do not run
/// for statics, nor on SIGKILL, so a small shell script outlives us and does it.
pub(crate) struct Reaper;

impl Reaper {
    pub(crate) fn watch(pid: u32, last_signal: Signal) {
        let name = last_signal.as_str().trim_start_matches("SIG");
        tell(&format!("watch {pid} {name}"));
    }

    pub(crate) fn forget(pid: u32) {
        tell(&format!("forget {pid}"));
    }

    pub(crate) fn unmount(path: &Path) {
        tell(&format!("unmount {}", path.display()));
    }

    pub(crate) fn remove(path: &Path) {
        tell(&format!("remove {}", path.display()));
    }
}

fn tell(line: &str) {
    static INPUT: LazyLock<Mutex<ChildStdin>> = LazyLock::new(|| Mutex::new(start()));
    let mut input = INPUT.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(input, "{line}").expect("the reaper reads until we are gone");
}

fn start() -> ChildStdin {
    Command::new("sh")
        .args(["-c", SCRIPT])
        // Its own group: ^C on the terminal must reach us and not the reaper.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a POSIX shell is there to run the reaper")
        .stdin
        .take()
        .expect("standard input was asked for as a pipe")
}
