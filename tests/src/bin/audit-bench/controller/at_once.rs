//! Thousands of resources that finish at once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use audit_tests::{kube::is_held, metrics::Metrics};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::site::{Group, Site, finished, mark};
use crate::{
    cpu::CpuTimes,
    meter::each,
    say,
    table::{markdown, megabytes},
};

const HEADER: [&str; 6] = [
    "",
    "time to that of a patch each",
    "resources/s",
    "requests each",
    "peak RSS, MB",
    "controller CPU, µs each",
];

pub(super) async fn bench(site: &Site, count: u32) -> Result<String> {
    say(&format!("creating {count} resources, and patching each once: the yardstick"))?;
    let waiting = site.resources("waiting", count).await?;
    let yardstick = patch_each(&waiting).await?;

    say("finishing all of them, then starting the controller")?;
    waiting.each(async |name| waiting.executions.set_status(&name, finished()).await).await?;
    let run = Run::begin(site).await?;
    let controller = site.controller(&waiting.namespace).await?;
    waiting.settled().await?;
    let late = run.end(site, &waiting, controller.peak_memory()?).await?;
    drop(controller);

    say(&format!("creating {count} more beside a running controller, then finishing all of them"))?;
    let running = site.resources("running", count).await?;
    let controller = site.controller(&running.namespace).await?;
    running.held().await?;
    let run = Run::begin(site).await?;
    running.each(async |name| running.executions.set_status(&name, finished()).await).await?;
    running.settled().await?;
    let live = run.end(site, &running, controller.peak_memory()?).await?;
    drop(controller);

    let rows = [
        late.row("finished before it starts", yardstick),
        live.row("held, then finished while it runs", yardstick),
        ["wanted", "–", "–", "–", "< 100", "–"].map(ToOwned::to_owned),
    ];
    Ok(format!(
        "{count} resources finish at once, each published once and marked. Yardstick: a client that patches each of them once, 16 at \
         a time: {:.1} s. The second row includes the {count} updates of the status that finish them, on the same API server.\n\n{}",
        yardstick.as_secs_f64(),
        markdown(&HEADER, &rows)
    ))
}

async fn patch_each(group: &Group) -> Result<Duration> {
    let begun = Instant::now();
    let patch = Patch::Merge(json!({"metadata": {"labels": {"patched": "once"}}}));
    group
        .each(async |name| {
            group.executions.api.patch_metadata(&name, &PatchParams::default(), &patch).await?;
            Ok(())
        })
        .await?;
    Ok(begun.elapsed())
}

/// A measurement that has begun.
struct Run {
    begun: Instant,
    cpu: CpuTimes,
    records: u32,
    requests: f64,
}

struct Figures {
    count: u32,
    time: Duration,
    cpu: u64,
    memory: u64,
    requests: f64,
}

impl Run {
    async fn begin(site: &Site) -> Result<Self> {
        let (records, requests) = (site.records().await?, patches(&site.kube.metrics().await?));
        Ok(Self { begun: Instant::now(), cpu: CpuTimes::now()?, records, requests })
    }

    async fn end(self, site: &Site, group: &Group, memory: u64) -> Result<Figures> {
        let time = self.begun.elapsed();
        let cpu = CpuTimes::now()?.since(&self.cpu).server;
        let requests = patches(&site.kube.metrics().await?) - self.requests;
        let records = site.records().await? - self.records;
        let count = group.count;
        ensure!(records == count, "{records} records of {count} resources: not once each");
        for resource in group.list().await? {
            mark(&resource)?;
            ensure!(!is_held(&resource), "{} is held", resource.name_any());
        }
        Ok(Figures { count, time, cpu, memory, requests })
    }
}

/// Patches of resources themselves: those of their status are not the controller's.
fn patches(metrics: &Metrics) -> f64 {
    let labels = [("resource", "workflowexecutions"), ("verb", "PATCH"), ("subresource", "")];
    metrics.sum("apiserver_request_total", &labels)
}

impl Figures {
    fn row(&self, what: &str, yardstick: Duration) -> [String; 6] {
        let count = f64::from(self.count);
        [
            what.to_owned(),
            format!("{:.2}", self.time.as_secs_f64() / yardstick.as_secs_f64()),
            format!("{:.0}", count / self.time.as_secs_f64()),
            format!("{:.2}", self.requests / count),
            format!("{:.0}", megabytes(self.memory)),
            format!("{:.0}", each(self.cpu, self.count)),
        ]
    }
}
