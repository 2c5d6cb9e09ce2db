//! A few resources that finish each second: how long until their events are safe.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use kube::ResourceExt;
use tokio::time::{MissedTickBehavior, interval};

use super::site::{Site, finished, mark, name};
use crate::{quantiles::Quantiles, say, table::markdown};

/// Resources per second.
const RATE: u32 = 20;
const HEADER: [&str; 4] =
    ["from the request that changes the phase to the acknowledgement, ms", "p50", "p99", "max"];

pub(super) async fn bench(site: &Site, seconds: u32) -> Result<String> {
    let count = RATE * seconds;
    let group = site.resources("steady", count).await?;
    let controller = site.controller(&group.namespace).await?;
    group.held().await?;
    say(&format!("{RATE} resources/s for {seconds} s"))?;
    let mut tick = interval(Duration::from_secs(1) / RATE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut changed = HashMap::new();
    for number in 0..count {
        tick.tick().await;
        changed.insert(name(number), Utc::now());
        group.executions.set_status(&name(number), finished()).await?;
    }
    group.settled().await?;

    let mut times = Vec::new();
    for resource in group.list().await? {
        let acknowledged = mark(&resource)?;
        let acknowledged = acknowledged["time"].as_str().context("no time in the mark")?;
        let acknowledged: DateTime<Utc> = acknowledged.parse()?;
        let changed = changed.get(&resource.name_any()).context("a resource of nobody's")?;
        times.push((acknowledged - *changed).num_microseconds().context("too long")?);
    }
    let [p50, p99, max] = Quantiles::of(times.into_iter())?.cells();
    let rows = [
        ["audit-producer controller".to_owned(), p50, p99, max],
        ["wanted", "–", "< 1000", "–"].map(ToOwned::to_owned),
    ];
    drop(controller);
    Ok(format!(
        "{RATE} resources finish each second, {count} in all. The acknowledgement is taken from the mark, in whole \
         milliseconds.\n\n{}",
        markdown(&HEADER, &rows)
    ))
}
