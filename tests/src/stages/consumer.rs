//! From the record that is received to the batch that is written.

use std::{hint::black_box, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use audit_consumer::{
    batch::{self, BatchBuilder, TupleWriter},
    claim::{Claim, ClaimId},
    metrics::{EventMetrics, EventSeries, Metrics},
    source::{Chunk, RawRecord},
};
use audit_schema::{
    decode::{Decoder, Event},
    digest::Digest,
    headers::RecordHeaders,
    identity,
    topic::TOPIC,
    version::Version,
};
use prometheus::Registry;
use rdkafka::{
    Timestamp,
    message::{Header, OwnedHeaders, OwnedMessage},
};
use uuid::Uuid;

use super::{Pass, Size, events};
use crate::kafka::Record;

const PARTITION: i32 = 7;
/// Milliseconds since the Unix epoch.
const RECEIVED: i64 = 1_750_000_000_000;
/// The defaults of `--batch-size` and `--linger`.
const BATCH_SIZE: usize = 3_000;
const LINGER: Duration = Duration::from_millis(200);

/// Copying messages out of the client.
pub(super) fn chunk(size: Size) -> Result<Pass> {
    let messages = messages(size)?;
    Ok(Box::new(move || drop(black_box(copied(&messages)))))
}

/// Validation, columns and the content's digest.
pub(super) fn decode(size: Size) -> Result<Pass> {
    let chunk = received(size)?;
    let mut decoder = Decoder::default();
    Ok(Box::new(move || {
        for raw in records(chunk) {
            let _ = black_box(decoder.decode(raw.value().unwrap_or_default()));
        }
    }))
}

/// Headers, id, and the time that the id carries.
pub(super) fn identify(size: Size) -> Result<Pass> {
    let decoded = decoded(size)?;
    Ok(Box::new(move || {
        for Decoded { raw, event, .. } in &decoded {
            let headers: RecordHeaders<'_> = raw.headers().collect();
            let _ = black_box(headers.resolve_id(event).map(identity::created_at));
        }
    }))
}

/// The digest of content and id.
pub(super) fn digest(size: Size) -> Result<Pass> {
    let decoded = decoded(size)?;
    Ok(Box::new(move || {
        for Decoded { event, id, .. } in &decoded {
            black_box(event.digest(*id));
        }
    }))
}

/// The tuple for COPY.
pub(super) fn render(size: Size) -> Result<Pass> {
    let decoded = decoded(size)?;
    let (mut tuples, mut lent) = (Vec::new(), Vec::new());
    Ok(Box::new(move || {
        tuples.clear();
        lent.clear();
        for Decoded { raw, event, id, digest } in &decoded {
            let version = Version {
                timestamp_ms: raw.timestamp_ms(),
                partition: raw.partition(),
                offset: raw.offset(),
            };
            let value = raw.value().unwrap_or_default();
            let mut tuple = TupleWriter::new(&mut tuples, &mut lent, value);
            batch::render(&mut tuple, *id, RECEIVED, &event.columns, digest, TOPIC, version);
        }
        black_box((&tuples, &lent));
    }))
}

/// The metrics of the event itself: looked up, then counted.
pub(super) fn observe(size: Size) -> Result<Pass> {
    let decoded = decoded(size)?;
    let metrics = metrics()?;
    let mut series = EventSeries::new(metrics.clone());
    let mut observations = Vec::with_capacity(decoded.len());
    Ok(Box::new(move || {
        observations.clear();
        observations.extend(decoded.iter().map(|Decoded { event, .. }| series.observe(event)));
        metrics.record(observations.iter());
    }))
}

/// All that a lane does until a batch can be written.
pub(super) fn gather(size: Size) -> Result<Pass> {
    let chunk = received(size)?;
    let claim =
        Claim { id: ClaimId(1), partition: PARTITION, epoch: 1, next_offset: 0, last: None };
    let mut builder =
        BatchBuilder::new(TOPIC.into(), BATCH_SIZE, LINGER, EventSeries::new(metrics()?));
    Ok(Box::new(move || {
        for (position, raw) in records(chunk).enumerate() {
            builder.push(&claim, raw.offset(), chunk, position);
        }
        builder.seal();
        drop(black_box(builder.take()));
    }))
}

/// A record and what was read from it.
struct Decoded {
    raw: RawRecord<'static>,
    event: Event<'static>,
    id: Uuid,
    digest: Digest,
}

fn decoded(size: Size) -> Result<Vec<Decoded>> {
    let decode = |raw: RawRecord<'static>| {
        // An event borrows from its decoder.
        let decoder = Box::leak(Box::<Decoder>::default());
        let event = decoder.decode(raw.value().unwrap_or_default())?;
        let id = raw.headers().collect::<RecordHeaders<'_>>().resolve_id(&event)?;
        Ok(Decoded { raw, id, digest: event.digest(id), event })
    };
    records(received(size)?).map(decode).collect()
}

fn records(chunk: &Chunk) -> impl Iterator<Item = RawRecord<'_>> {
    (0..chunk.len()).map(|position| chunk.record(position))
}

/// Lives as long as the process, so that what is prepared for a stage can borrow from it.
fn received(size: Size) -> Result<&'static Arc<Chunk>> {
    Ok(Box::leak(Box::new(Arc::new(copied(&messages(size)?)))))
}

fn copied(messages: &[OwnedMessage]) -> Chunk {
    let mut chunk = Chunk::default();
    messages.iter().for_each(|message| chunk.push(message));
    chunk
}

fn messages(size: Size) -> Result<Vec<OwnedMessage>> {
    Ok((0..).zip(events::records(size)?).map(|(offset, record)| message(offset, record)).collect())
}

fn message(offset: i64, record: Record) -> OwnedMessage {
    let headers = record.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: value.as_ref() })
    });
    let Record { key, value, .. } = record;
    let time = Timestamp::LogAppendTime(RECEIVED);
    OwnedMessage::new(value, key, TOPIC.to_owned(), time, PARTITION, offset, Some(headers))
}

fn metrics() -> Result<EventMetrics> {
    Ok(Metrics::register(&Registry::new()).context("register the metrics")?.events)
}
