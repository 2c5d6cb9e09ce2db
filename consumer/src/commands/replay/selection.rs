//! Which part of the topic is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use anyhow::Context;
use audit_runtime::exit::UsageError;
use chrono::{DateTime, Utc};

use crate::commands::moment::{Moment, in_order, written};
use crate::commands::place::Place;
use crate::kafka::Probe;

/// What to read; all of the topic if nothing is given.
#[derive(Debug, clap::Args)]
pub(super) struct SelectionOptions {
    /// Records of then or later: a time (RFC 3339), a date (its begin in UTC), or a duration ago
    #[arg(long, env = "AUDIT_SINCE", value_name = "TIME|DATE|DURATION")]
    since: Option<Moment>,

    /// Records of before then, written likewise; without it, all that there are when the replay begins
    #[arg(long, env = "AUDIT_UNTIL", value_name = "TIME|DATE|DURATION")]
    until: Option<Moment>,

    /// A partition to read, from this offset on, and none but those that are named so; repeatable
    #[arg(long, env = "AUDIT_FROM", value_name = "TOPIC:PARTITION:OFFSET", value_delimiter = ',')]
    from: Vec<Place>,
}

/// What to read, as of some moment.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    from: Vec<Place>,
}

impl SelectionOptions {
    /// The flags of what was given.
    pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            ("--since", self.since.is_some()),
            ("--until", self.until.is_some()),
            ("--from", !self.from.is_empty()),
        ];
        given.into_iter().filter_map(|(flag, is_given)| is_given.then_some(flag))
    }

    /// # Errors
    /// What was given does not go together, or is about another topic.
    pub(super) fn of(&self, topic: &str, now: DateTime<Utc>) -> Result<Selection, UsageError> {
        let since = self.since.map(|moment| moment.at("--since", now)).transpose()?;
        let until = self.until.map(|moment| moment.at("--until", now)).transpose()?;
        if let (Some(since), Some(until)) = (since, until) {
            in_order(since, until)?;
        }
        if since.is_some() && !self.from.is_empty() {
            return Err(UsageError(
                "--since and --from both say where to begin: leave one of them out".into(),
            ));
        }
        let mut partitions = BTreeSet::new();
        for place in &self.from {
            if place.topic != topic {
                return Err(UsageError(format!(
                    "--from is about topic {}, but --topic is {topic}",
                    place.topic
                )));
            }
            if !partitions.insert(place.partition) {
                return Err(UsageError(format!(
                    "--from names partition {} twice",
                    place.partition
                )));
            }
        }
        Ok(Selection { since, until, from: self.from.clone() })
    }
}

impl Selection {
    /// The offsets that this means now, of each of the topic's partitions that are meant.
    ///
    /// # Errors
    /// The brokers cannot be asked, or an offset is not on the topic.
    pub(super) async fn ranges(
        &self,
        probe: &Probe,
        partitions: i32,
    ) -> anyhow::Result<BTreeMap<i32, Range<i64>>> {
        if let Some(place) = self.from.iter().find(|place| place.partition >= partitions) {
            return Err(UsageError(format!(
                "--from {}: the topic's partitions are 0 to {}",
                place,
                partitions - 1
            ))
            .into());
        }
        let named: Vec<i32> = if self.from.is_empty() {
            (0..partitions).collect()
        } else {
            self.from.iter().map(|place| place.partition).collect()
        };
        let mut ranges = BTreeMap::new();
        for partition in named {
            ranges.insert(partition, self.range(probe, partition).await?);
        }
        Ok(ranges)
    }

    async fn range(&self, probe: &Probe, partition: i32) -> anyhow::Result<Range<i64>> {
        let unanswered = || format!("cannot ask Kafka about partition {partition} (--brokers)");
        let log = probe.watermarks(partition).await.with_context(unanswered)?;
        // No record that late means that all there are came before.
        let first_of = async |time| {
            let found = probe.offset_from(partition, time).await.with_context(unanswered)?;
            Ok::<_, anyhow::Error>(found.unwrap_or(log.high))
        };
        let end = match self.until {
            Some(until) => first_of(until).await?,
            None => log.high,
        };
        let start = match (self.since, self.from.iter().find(|p| p.partition == partition)) {
            (Some(since), _) => first_of(since).await?,
            (None, Some(place)) if !(log.low..=log.high).contains(&place.offset) => {
                return Err(UsageError(format!(
                    "--from {}: the partition has offsets from {} to before {}",
                    place, log.low, log.high
                ))
                .into());
            }
            (None, Some(place)) => place.offset,
            (None, None) => log.low,
        };
        Ok(start..end.max(start))
    }
}

/// In words, for whoever lists replays.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since.map(|since| format!("since {}", written(since)));
        let from = (!self.from.is_empty()).then(|| {
            format!(
                "from {}",
                self.from.iter().map(Place::to_string).collect::<Vec<_>>().join(", ")
            )
        });
        let until = self.until.map(|until| format!("before {}", written(until)));
        let parts: Vec<String> = [since, from, until].into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "all" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(since: &str, until: &str, from: &[&str]) -> Result<String, String> {
        let moment = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        let from = from.iter().map(|text| text.parse().unwrap()).collect();
        let options = SelectionOptions { since: moment(since), until: moment(until), from };
        let now = "2025-03-01T12:00:00Z".parse().unwrap();
        options.of("t", now).map(|found| found.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_selection_is_said_in_words() {
        assert_eq!(selected("", "", &[]).unwrap(), "all");
        assert_eq!(
            selected("1d", "2025-03-01", &[]).unwrap(),
            "since 2025-02-28T12:00:00Z, before 2025-03-01T00:00:00Z"
        );
        assert_eq!(selected("", "", &["t:0:5", "t:3:0"]).unwrap(), "from t:0:5, t:3:0");
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (since, until, from, words) in [
            ("1d", "2d", &[][..], "--until must be after --since"),
            ("1d", "", &["t:0:5"], "--since and --from"),
            ("", "", &["u:0:5"], "--from is about topic u"),
            ("", "", &["t:0:5", "t:0:6"], "partition 0 twice"),
        ] {
            let error = selected(since, until, from).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
