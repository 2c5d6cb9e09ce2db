//! Processor time by `/proc`.

use std::{fs, process};

use anyhow::{Context, Result};
use audit_tests::os::descendants;

/// `USER_HZ`: what Linux counts processor time in, whatever its own tick is.
const MICROS_PER_TICK: u64 = 10_000;

/// Processor time spent so far, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTimes {
    /// By this process.
    pub(crate) ours: u64,
    /// By `audit-consumer`.
    pub(crate) consumer: u64,
    /// By all of PostgreSQL's processes, ended ones included.
    pub(crate) postgres: u64,
    /// By the broker.
    pub(crate) broker: u64,
    /// By what requests are sent to: `audit-producer`, or the server that does nothing.
    pub(crate) server: u64,
    /// By every process of the machine, its kernel, and whoever else uses the processors under it.
    pub(crate) machine: u64,
    /// What all processors together could have spent.
    pub(crate) capacity: u64,
}

impl CpuTimes {
    pub(crate) fn now() -> Result<Self> {
        let mut times = Self {
            ours: stat(process::id()).context("no /proc/self/stat")?.own,
            ..Self::default()
        };
        for pid in descendants(process::id()) {
            // It may have ended meanwhile; then its parent has its time.
            let Some(stat) = stat(pid) else { continue };
            let spent = stat.own + stat.children;
            match stat.name.as_str() {
                "audit-consumer" => times.consumer += spent,
                "postgres" => times.postgres += spent,
                "java" => times.broker += spent,
                "audit-producer" | "audit-bench" => times.server += spent,
                _ => {}
            }
        }
        (times.machine, times.capacity) = machine()?;
        Ok(times)
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            ours: self.ours - before.ours,
            // A process that began in between began with nothing.
            consumer: self.consumer.saturating_sub(before.consumer),
            postgres: self.postgres - before.postgres,
            broker: self.broker - before.broker,
            server: self.server.saturating_sub(before.server),
            machine: self.machine - before.machine,
            capacity: self.capacity - before.capacity,
        }
    }

    /// The share of the machine that went to none of us, 0 to 1.
    pub(crate) fn others(&self) -> f64 {
        let known = self.ours + self.consumer + self.postgres + self.broker + self.server;
        ratio(self.machine.saturating_sub(known), self.capacity)
    }
}

/// `a / b`.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(crate) fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

struct Stat {
    name: String,
    own: u64,
    children: u64,
}

/// From `/proc/PID/stat`, see proc(5): "PID (NAME) STATE ..", where NAME may hold anything; times are
/// fields 14 to 17.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (start, end) = (text.find('(')?, text.rfind(')')?);
    let fields: Vec<&str> = text[end + 1..].split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        name: text[start + 1..end].to_owned(),
        own: (ticks(14)? + ticks(15)?) * MICROS_PER_TICK,
        children: (ticks(16)? + ticks(17)?) * MICROS_PER_TICK,
    })
}

/// Time spent and time there was, from the first line of `/proc/stat`: user, nice, system, idle, iowait, irq,
/// softirq, steal; what guests got is in user.
fn machine() -> Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("an empty /proc/stat")?;
    let ticks =
        line.split_whitespace().skip(1).take(8).map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    let all: u64 = ticks.iter().sum();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Ok(((all - idle) * MICROS_PER_TICK, all * MICROS_PER_TICK))
}
