//! Where the topic ends, as the brokers say now.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};

use crate::kafka::Probe;
use crate::streams::Stream;

/// Questions about partitions that are under way at once.
const QUESTIONS_AT_ONCE: usize = 8;

/// End offsets of partitions, and why those of others are not known.
pub(super) struct Ends {
    asked_at: DateTime<Utc>,
    offsets: BTreeMap<i32, i64>,
    pub(super) trouble: Option<String>,
}

pub(super) async fn ask(probe: &Probe) -> Ends {
    let mut ends = Ends { asked_at: Utc::now(), offsets: BTreeMap::new(), trouble: None };
    let partitions = match probe.partitions().await {
        Ok(partitions) => partitions,
        Err(error) => return Ends { trouble: Some(format!("{error:#}")), ..ends },
    };
    let answers = stream::iter(0..partitions)
        .map(async |partition| (partition, probe.watermarks(partition).await));
    let answers: Vec<_> = answers.buffered(QUESTIONS_AT_ONCE).collect().await;
    for (partition, answer) in answers {
        match answer {
            Ok(log) => drop(ends.offsets.insert(partition, log.high)),
            Err(error) => ends.trouble = Some(format!("partition {partition}: {error}")),
        }
    }
    ends
}

impl Ends {
    /// Takes the lag from them in place of what consumers saw last.
    pub(super) fn apply(&self, stream: &mut Stream) {
        for partition in &mut stream.partitions {
            if let Some((end, next)) =
                self.offsets.get(&partition.partition).zip(partition.next_offset)
            {
                // The end was asked for first, and the position may have moved past it.
                partition.lag = Some((end - next).max(0));
                partition.lag_as_of = Some(self.asked_at);
            }
        }
        stream.sum_up();
    }
}
