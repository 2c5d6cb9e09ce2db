//! Fills a topic.

use std::collections::VecDeque;

use anyhow::Result;
use audit_tests::{
    generator::{Generator, IdKind, resize},
    kafka::Record,
    oracle::Counts,
};
use chrono::DateTime;
use fastrand::Rng;

use crate::stage::Stage;

/// 2025-06-15 15:06:40 UTC: the same ids in every run.
pub(crate) const LATEST: i64 = 1_750_000_000;
/// Records published at a time; a duplicate repeats an event of the last so many.
const BLOCK: u32 = 10_000;

/// What the records of a topic are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixture {
    /// What all others are made from.
    pub(crate) seed: u64,
    pub(crate) ids: IdKind,
    /// Makes every event this large; else they are as large as they happen to be.
    pub(crate) event_bytes: Option<u32>,
    /// Of 1,000 records, so many are sent a second time.
    pub(crate) duplicates: u32,
    /// Of 1,000 records, so many can only become dead letters.
    pub(crate) poison: u32,
    /// Other contents for the ids of the same seed.
    pub(crate) contradicting: bool,
}

impl Mixture {
    /// New events as the controller sends them: an id carries the time of its resource.
    pub(crate) fn plain(seed: u64) -> Self {
        Self {
            seed,
            ids: IdKind::Dated,
            event_bytes: None,
            duplicates: 0,
            poison: 0,
            contradicting: false,
        }
    }
}

/// What was published.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Published {
    /// The sum of the values' sizes.
    pub(crate) bytes: usize,
    /// What must become of the records.
    pub(crate) counts: Counts,
}

/// Publishes so many records.
pub(crate) async fn publish(
    stage: &Stage,
    topic: &str,
    mixture: &Mixture,
    records: u32,
) -> Result<Published> {
    let publisher = stage.kafka.publisher()?;
    let mut source = Source::new(mixture);
    let mut published = Published::default();
    for start in (0..records).step_by(usize::try_from(BLOCK)?) {
        let end = records.min(start + BLOCK);
        let block = (start..end).map(|at| source.next(at, &mut published.counts));
        let block = block.collect::<Result<Vec<Record>>>()?;
        published.bytes +=
            block.iter().filter_map(|record| record.value.as_ref()).map(Vec::len).sum::<usize>();
        publisher.publish(topic, block).await?;
    }
    Ok(published)
}

struct Source<'a> {
    mixture: &'a Mixture,
    generator: Generator,
    /// Draws nothing that the events are made from: two mixtures of one seed have the same ids.
    other: Generator,
    padding: Rng,
    /// The last [`BLOCK`] events.
    recent: VecDeque<Record>,
}

impl<'a> Source<'a> {
    fn new(mixture: &'a Mixture) -> Self {
        let latest = DateTime::from_timestamp_secs(LATEST).unwrap_or_default();
        Self {
            mixture,
            generator: Generator::new(mixture.seed, latest),
            other: Generator::new(!mixture.seed, latest),
            padding: Rng::with_seed(mixture.seed),
            recent: VecDeque::new(),
        }
    }

    /// The next record, with what must become of it noted.
    fn next(&mut self, at: u32, counts: &mut Counts) -> Result<Record> {
        if is_due(at, self.mixture.duplicates) {
            counts.duplicate += 1;
            let repeated = self.other.random().usize(..self.recent.len());
            return Ok(self.recent[repeated].clone());
        }
        if is_due(at, self.mixture.poison) {
            let kinds = Generator::poisons().count();
            let kind = usize::try_from(counts.dead_lettered)? % kinds;
            counts.dead_lettered += 1;
            return Ok(self.other.poison(Generator::poisons().nth(kind).expect("below the count")));
        }
        let mut event = self.generator.event(self.mixture.ids);
        if self.mixture.contradicting {
            event = self.other.conflict(&event);
            counts.superseding += 1;
        } else {
            counts.stored += 1;
        }
        let mut record = event.record();
        if let Some(size) = self.mixture.event_bytes {
            let value = resize(&event.value(), usize::try_from(size)?, &mut self.padding)?;
            record.value = Some(value);
        }
        if self.mixture.duplicates > 0 {
            if self.recent.len() == usize::try_from(BLOCK)? {
                self.recent.pop_front();
            }
            self.recent.push_back(record.clone());
        }
        Ok(record)
    }
}

/// Spreads so many of 1,000 evenly, the first of them never at the very beginning.
fn is_due(at: u32, per_mille: u32) -> bool {
    let before = |at: u32| u64::from(at) * u64::from(per_mille) / 1000;
    before(at + 1) > before(at)
}
