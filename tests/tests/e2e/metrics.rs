//! Every metric of both services: it is documented, it moves when it should, and a scrape is always well-formed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use audit_tests::{
    eventually,
    metrics::{
        Metrics,
        exposition::{Exposition, Family},
    },
    service::Service,
};

mod consumer;
mod gateway;
mod labels;

const LIMIT: Duration = Duration::from_secs(180);
const TABLES: &str = include_str!("../../../docs/metrics.md");
/// Nobody listens there: traces are on, and fail.
const NO_COLLECTOR: &str = "http://127.0.0.1:1";

/// All families that were seen in any scrape of a service.
#[derive(Default)]
struct Seen(Exposition);

impl Seen {
    /// Scrapes, strictly.
    async fn scrape(&mut self, service: &Service) -> Result<Exposition> {
        let scrape = service.exposition().await?;
        for (name, family) in &scrape {
            let known = self.0.entry(name.clone()).or_insert_with(|| family.clone());
            ensure!((&known.kind, &known.help) == (&family.kind, &family.help), "{name} changed");
            known.samples.clone_from(&family.samples);
        }
        Ok(scrape)
    }

    /// Whether these are the families of the tables under the headings: no more, no less, as documented.
    fn are_documented(&self, headings: &[&str]) {
        let documented = tables(headings);
        let seen: BTreeMap<_, _> =
            self.0.iter().map(|(name, family)| (name.clone(), shape(family))).collect();
        assert_eq!(seen, documented, "left: the scrapes, right: docs/metrics.md");
    }

    #[track_caller]
    fn says(&self, name: &str, help: &str) {
        assert_eq!(self.0[name].help, help);
    }
}

/// Type and labels.
type Shape = (String, BTreeSet<String>);

fn shape(family: &Family) -> Shape {
    (family.kind.clone(), family.labels().into_iter().map(ToOwned::to_owned).collect())
}

/// What the tables under these headings say of each metric.
fn tables(headings: &[&str]) -> BTreeMap<String, Shape> {
    let mut metrics = BTreeMap::new();
    let mut wanted = false;
    for line in TABLES.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            wanted = headings.contains(&heading);
        }
        let Some(row) = line.strip_prefix("| `").filter(|_| wanted) else { continue };
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[2].split(',').map(|label| label.trim().trim_matches('`'));
        let labels = labels.filter(|label| !label.is_empty()).map(ToOwned::to_owned).collect();
        let name = cells[0].trim_end_matches('`').to_owned();
        let before = metrics.insert(name, (cells[1].to_owned(), labels));
        assert_eq!(before, None, "documented twice: {line}");
    }
    metrics
}

/// Waits until the series of a metric with these labels sum up to so much.
async fn reaches(
    service: &Service,
    name: &str,
    labels: &[(&str, &str)],
    at_least: f64,
) -> Result<()> {
    eventually(LIMIT, &format!("{name}{labels:?} >= {at_least}"), async || {
        let now = service.metrics().await?.sum(name, labels);
        ensure!(now >= at_least, "{now}");
        Ok(())
    })
    .await
}

/// Waits until they sum up to exactly so much.
async fn becomes(service: &Service, name: &str, labels: &[(&str, &str)], value: f64) -> Result<()> {
    eventually(LIMIT, &format!("{name}{labels:?} = {value}"), async || {
        let now = service.metrics().await?.sum(name, labels);
        ensure!((now - value).abs() < 0.5, "{now}");
        Ok(())
    })
    .await
}

/// Whether the series are there, and all at 0.
fn begin_at_zero(metrics: &Metrics, name: &str, label: &str, values: &[&str]) -> Result<()> {
    for value in values {
        let series = metrics.iter().find(|(series, _)| {
            series.starts_with(&format!("{name}{{"))
                && series.contains(&format!("{label}=\"{value}\""))
        });
        let (series, at) = series.with_context(|| format!("no {name} of {value}"))?;
        ensure!(at == 0.0, "{series} begins at {at}");
    }
    Ok(())
}
