//! Reading the Prometheus text format.

pub mod exposition;

use std::collections::BTreeMap;

use anyhow::{Context, Result};

/// All series of a scrape, by their full text: `name` or `name{label="value",..}`.
#[derive(Clone, Debug, Default)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads the text format.
    ///
    /// # Errors
    /// A line that is neither a comment nor a sample.
    pub fn parse(text: &str) -> Result<Self> {
        text.lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| {
                let (series, value) = line.rsplit_once(' ').context("no value")?;
                Ok((series.to_owned(), value.parse()?))
            })
            .collect::<Result<_>>()
            .map(Self)
            .with_context(|| format!("not in the Prometheus text format:\n{text}"))
    }

    /// The value of one series by its full text, labels in the order of the exposition.
    #[must_use]
    pub fn get(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    /// The sum over all series of a name whose labels contain all of these.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        self.0
            .iter()
            .filter(|(series, _)| series.split('{').next() == Some(name))
            .filter(|(series, _)| wanted.iter().all(|label| series.contains(label)))
            .map(|(_, value)| value)
            .sum()
    }

    /// All series, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(series, value)| (series.as_str(), *value))
    }
}
