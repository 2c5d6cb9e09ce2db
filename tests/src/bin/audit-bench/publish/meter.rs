//! What one measurement came to.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::settings::Variant;
use crate::cpu::{CpuTimes, ratio};

/// Figures of one variant in one round; processor times are microseconds per event.
pub(crate) struct Figures {
    /// Acknowledged events per second.
    pub(crate) rate: f64,
    /// Of what is measured.
    pub(crate) cpu: f64,
    /// Of this process, where it sends the requests.
    pub(crate) generator_cpu: Option<f64>,
    /// Of the broker, where it takes part.
    pub(crate) broker_cpu: Option<f64>,
    /// Of requests, where there are any.
    pub(crate) latency: Option<Latency>,
    /// The share of the machine that went to others meanwhile.
    pub(crate) others: f64,
}

impl Figures {
    /// In one line, for whoever waits.
    pub(crate) fn line(&self, variant: Variant) -> String {
        format!(
            "{}: {:.0} events/s, {:.1} µs each; others had {:.0} % of the machine",
            variant.title(),
            self.rate,
            self.cpu,
            self.others * 100.0
        )
    }
}

/// From sending a request to having its answer, in milliseconds.
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Latency {
    pub(crate) fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let at = |percent: usize| {
            let time = times.get((times.len().checked_sub(1)?) * percent / 100)?;
            Some(time.as_secs_f64() * 1_000.0)
        };
        Some(Self { p50: at(50)?, p99: at(99)? })
    }
}

/// From the first event on.
pub(crate) struct Meter {
    cpu: CpuTimes,
    begun: Instant,
}

impl Meter {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self { cpu: CpuTimes::now()?, begun: Instant::now() })
    }

    /// Of a publisher in this process.
    pub(crate) fn publisher(self, events: u32) -> Result<Figures> {
        let (cpu, seconds) = self.stop()?;
        Ok(Figures {
            rate: f64::from(events) / seconds,
            cpu: ratio(cpu.ours, events.into()),
            generator_cpu: None,
            broker_cpu: Some(ratio(cpu.broker, events.into())),
            latency: None,
            others: cpu.others(),
        })
    }

    /// Of a server that this process has sent requests to.
    pub(crate) fn server(self, events: u32, times: Vec<Duration>) -> Result<Figures> {
        let (cpu, seconds) = self.stop()?;
        Ok(Figures {
            rate: f64::from(events) / seconds,
            cpu: ratio(cpu.server, events.into()),
            generator_cpu: Some(ratio(cpu.ours, events.into())),
            broker_cpu: (cpu.broker > 0).then(|| ratio(cpu.broker, events.into())),
            latency: Latency::of(times),
            others: cpu.others(),
        })
    }

    fn stop(&self) -> Result<(CpuTimes, f64)> {
        let seconds = self.begun.elapsed().as_secs_f64();
        Ok((CpuTimes::now()?.since(&self.cpu), seconds))
    }
}
