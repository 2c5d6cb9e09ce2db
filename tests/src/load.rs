//! Events that go on being published while other things happen.

use std::{cell::Cell, time::Duration};

use anyhow::Result;
use futures_util::future::try_join;

use crate::{
    generator::{Event, Generator},
    kafka::{Acknowledged, Record},
    pipeline::Pipeline,
};

/// Events published at a time.
const PORTION: usize = 20;
/// Between two portions: a few hundred events a second, so that a long fault stays verifiable.
const PACE: Duration = Duration::from_millis(50);

/// Publishes for as long as `meanwhile` takes, with one producer. Gives all acknowledgements and
/// what `meanwhile` came to.
///
/// # Errors
/// That of `meanwhile`, or a record was not acknowledged within three minutes.
pub async fn publish_during<T>(
    pipeline: &Pipeline<'_>,
    generator: &mut Generator,
    meanwhile: impl Future<Output = Result<T>>,
) -> Result<(Vec<Acknowledged>, T)> {
    let publisher = pipeline.servers.kafka.publisher()?;
    let over = Cell::new(false);
    let publishing = async {
        let mut acknowledged = Vec::new();
        while !over.get() {
            let records = mixture(generator, PORTION);
            acknowledged.extend(publisher.publish(&pipeline.topic, records).await?);
            tokio::time::sleep(PACE).await;
        }
        Ok(acknowledged)
    };
    let meanwhile = async {
        let result = meanwhile.await;
        over.set(true);
        result
    };
    try_join(publishing, meanwhile).await
}

/// The records of so many events, with duplicates in other spellings, conflicts and poison among
/// them, in random order.
pub fn mixture(generator: &mut Generator, events: usize) -> Vec<Record> {
    let mut records = Vec::new();
    for event in generator.events(events) {
        records.push(event.record());
        match generator.random().u8(..16) {
            0 => records.push(event.respelled().record()),
            1 | 2 => records.push(generator.conflict(&event).record()),
            3 => records.push(poison(generator)),
            _ => {}
        }
    }
    generator.random().shuffle(&mut records);
    records
}

/// Plain events, so many for each of the partitions: `records[n]` goes to `partitions[n % ..]`.
pub fn spread(generator: &mut Generator, each: usize, partitions: i32) -> Vec<Record> {
    let events = generator.events(each * usize::try_from(partitions).unwrap_or(0));
    let places = (0..partitions).cycle();
    events
        .iter()
        .map(Event::record)
        .zip(places)
        .map(|(record, to)| record.to_partition(to))
        .collect()
}

fn poison(generator: &mut Generator) -> Record {
    let kinds: Vec<_> = Generator::poisons().collect();
    let kind = generator.random().usize(..kinds.len());
    generator.poison(kinds[kind])
}
