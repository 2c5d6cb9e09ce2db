//! The Prometheus text format (version 0.0.4), taken strictly: what a lenient reader forgives is an error here.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};

/// All families of a scrape, by name.
pub type Exposition = BTreeMap<String, Family>;

/// One metric with all its series.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// What the metric is about.
    pub help: String,
    /// Its samples in order.
    pub samples: Vec<Sample>,
}

/// One line of the scrape.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The family's name, with `_bucket`, `_sum` or `_count` in a histogram.
    pub name: String,
    /// Label values, unescaped.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Family {
    /// The names of the labels, without a histogram's `le`.
    #[must_use]
    pub fn labels(&self) -> BTreeSet<&str> {
        let labels = self.samples.iter().flat_map(|sample| sample.labels.keys());
        labels.map(String::as_str).filter(|label| *label != "le").collect()
    }
}

/// Reads a whole scrape.
///
/// # Errors
/// The first line that breaks a rule of the format, or a family that breaks one of its type.
pub fn parse(text: &str) -> Result<Exposition> {
    ensure!(text.is_empty() || text.ends_with('\n'), "the last line does not end");
    let mut families = Exposition::new();
    let mut current: Option<String> = None;
    let mut help: Option<(&str, &str)> = None;
    for line in text.split_terminator('\n') {
        let context = || format!("line {line:?}");
        if let Some(comment) = line.strip_prefix("# HELP ") {
            ensure!(help.is_none(), "two HELP lines: {line}");
            help = Some(comment.split_once(' ').with_context(context)?);
        } else if let Some(comment) = line.strip_prefix("# TYPE ") {
            let (name, kind) = comment.split_once(' ').with_context(context)?;
            let (about, help) = help.take().with_context(|| format!("{name} has no HELP"))?;
            ensure!(about == name, "HELP of {about} before TYPE of {name}");
            ensure!(is_name(name), "{name:?} is no name");
            let family =
                Family { kind: kind.to_owned(), help: help.to_owned(), samples: Vec::new() };
            let before = families.insert(name.to_owned(), family);
            ensure!(before.is_none(), "{name} comes twice");
            current = Some(name.to_owned());
        } else {
            ensure!(help.is_none(), "a HELP without its TYPE before {line}");
            let name = current.as_ref().with_context(|| format!("a sample of nothing: {line}"))?;
            let family = families.get_mut(name).with_context(context)?;
            family.samples.push(sample(line).with_context(context)?);
        }
    }
    for (name, family) in &families {
        check(name, family).with_context(|| name.clone())?;
    }
    Ok(families)
}

fn check(name: &str, family: &Family) -> Result<()> {
    ensure!(!family.samples.is_empty(), "no sample");
    ensure!(!family.help.is_empty(), "no help");
    ensure!((family.kind == "counter") == name.ends_with("_total"), "is a {}", family.kind);
    let mut seen = BTreeSet::new();
    for sample in &family.samples {
        let series = format!("{}{:?}", sample.name, sample.labels);
        ensure!(seen.insert(series), "the series {sample:?} comes twice");
        if family.kind == "counter" {
            ensure!(sample.value >= 0.0, "{sample:?} is below zero");
        }
    }
    match family.kind.as_str() {
        "counter" | "gauge" => {
            let strange = family.samples.iter().find(|sample| sample.name != name);
            ensure!(strange.is_none(), "has {strange:?}");
            Ok(())
        }
        "histogram" => check_histogram(name, family),
        other => bail!("the type {other}"),
    }
}

/// Buckets rise to `+Inf`, which is the count, and there is a sum.
fn check_histogram(name: &str, family: &Family) -> Result<()> {
    let mut buckets: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
    let mut counts = BTreeMap::new();
    let mut sums = BTreeSet::new();
    for sample in &family.samples {
        let mut labels = sample.labels.clone();
        match sample.name.strip_prefix(name) {
            Some("_bucket") => {
                let bound = labels.remove("le").context("a bucket without le")?.parse()?;
                buckets.entry(labels).or_default().push((bound, sample.value));
            }
            Some("_count") => drop(counts.insert(labels, sample.value)),
            Some("_sum") => drop(sums.insert(labels)),
            _ => bail!("has {sample:?}"),
        }
    }
    ensure!(buckets.keys().eq(counts.keys()) && sums.iter().eq(counts.keys()), "parts are missing");
    for (labels, buckets) in &buckets {
        let rises = buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        ensure!(rises, "the buckets of {labels:?} do not rise: {buckets:?}");
        let last = buckets.last().copied().unwrap_or_default();
        ensure!(last == (f64::INFINITY, counts[labels]), "{labels:?} ends in {last:?}");
    }
    Ok(())
}

fn sample(line: &str) -> Result<Sample> {
    let end = line.find(['{', ' ']).context("no value")?;
    let (name, rest) = line.split_at(end);
    ensure!(is_name(name), "{name:?} is no name");
    let mut labels = BTreeMap::new();
    let value = match rest.strip_prefix('{') {
        Some(rest) => read_labels(rest, &mut labels)?,
        None => rest,
    };
    let value = value.strip_prefix(' ').context("no space before the value")?;
    ensure!(!value.contains(char::is_whitespace), "something after the value");
    Ok(Sample { name: name.to_owned(), labels, value: value.parse()? })
}

/// Reads `name="value",..}` and gives what follows.
fn read_labels<'a>(mut rest: &'a str, labels: &mut BTreeMap<String, String>) -> Result<&'a str> {
    loop {
        let (name, after) = rest.split_once("=\"").context("no label")?;
        ensure!(is_name(name) && !name.contains(':'), "{name:?} is no label");
        let (value, after) = read_value(after)?;
        ensure!(labels.insert(name.to_owned(), value).is_none(), "{name} comes twice");
        if let Some(end) = after.strip_prefix('}') {
            return Ok(end);
        }
        rest = after.strip_prefix(',').context("no comma between labels")?;
    }
}

/// Reads a label value up to its closing quote, and gives what follows.
fn read_value(text: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next().context("the label value does not end")? {
            '"' => return Ok((value, chars.as_str())),
            '\\' => value.push(match chars.next() {
                Some('n') => '\n',
                Some(escaped @ ('\\' | '"')) => escaped,
                other => bail!("the escape {other:?}"),
            }),
            plain => value.push(plain),
        }
    }
}

fn is_name(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    text.bytes().all(legal) && text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_total What\n# TYPE a_total counter\na_total{x=\"a\\\"b\\\\c\\nd\"} 3\n\
        # HELP h_seconds Time\n# TYPE h_seconds histogram\nh_seconds_bucket{le=\"1\"} 1\n\
        h_seconds_bucket{le=\"+Inf\"} 2\nh_seconds_sum 5\nh_seconds_count 2\n";

    #[test]
    fn good_text_is_read() {
        let families = parse(GOOD).unwrap();
        assert_eq!(families["a_total"].samples[0].labels["x"], "a\"b\\c\nd");
        assert_eq!(families["a_total"].labels(), BTreeSet::from(["x"]));
        assert!(families["h_seconds"].labels().is_empty());
    }

    #[test]
    fn bad_text_is_refused() {
        for (good, bad) in [
            ("# HELP a_total What\n", ""),
            ("# TYPE a_total counter\n", ""),
            (" counter", " gauge"),
            (" counter", " summary"),
            ("} 3", "} -3"),
            ("} 3", "}3"),
            ("} 3", "} 3 x"),
            ("\\nd", "\\td"),
            ("x=", "1x="),
            ("{le=\"1\"} 1", "{le=\"1\"} 3"),
            ("{le=\"1\"}", "{le=\"+Inf\"}"),
            ("h_seconds_sum 5\n", ""),
            ("h_seconds_count 2", "h_seconds_count 3"),
            ("h_seconds_count 2\n", "h_seconds_count 2"),
            ("h_seconds_count 2\n", "h_seconds_count 2\nh_seconds_count 2\n"),
        ] {
            let text = GOOD.replacen(good, bad, 1);
            assert_ne!(text, GOOD);
            assert!(parse(&text).is_err(), "{text}");
        }
    }
}
