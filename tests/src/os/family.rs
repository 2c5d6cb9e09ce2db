//! Who descends from whom, by `/proc`.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use nix::{sys::signal::Signal, unistd::Pid};

/// All processes that descend from `pid`, parents first.
#[must_use]
pub fn descendants(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, state_and_parent(pid)?.1)))
        .collect();
    let mut found = vec![pid];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| pid));
        next += 1;
    }
    found.remove(0);
    found
}

/// Whether `pid` runs; one that has ended and not been waited for does not.
pub(super) fn is_alive(pid: u32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state != 'Z')
}

/// From `/proc/PID/stat`: "PID (NAME) STATE PARENT ..", where NAME may hold anything.
fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Sends a signal to a process that may have ended meanwhile, which is what most signals are for.
pub(super) fn send(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        nix::sys::signal::kill(Pid::from_raw(pid), signal).ok();
    }
}

/// Sends a signal and waits until it has done its work where that can be seen: a process of several threads goes on
/// for a while after SIGSTOP, until the last of them has stopped.
pub(super) fn deliver(pid: u32, signal: Signal) {
    send(pid, signal);
    let deadline = Instant::now() + Duration::from_secs(60);
    while signal == Signal::SIGSTOP && !is_stopped(pid) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether no thread of it runs. True as well for a process that is gone.
fn is_stopped(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok())
        .filter_map(|stat| stat[stat.rfind(')')? + 1..].trim_start().chars().next())
        .all(|state| matches!(state, 'T' | 'Z' | 'X'))
}
