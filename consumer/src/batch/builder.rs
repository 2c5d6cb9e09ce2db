//! Decodes records into the batch that is being gathered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_schema::decode::Decoder;
use audit_schema::problem::Rejection;
use sha2::{Digest as _, Sha256};

use super::record::{self, Decoded};
use super::tuple::TupleWriter;
use super::{Batch, DeadLetter, Place, Row, Span, row};
use crate::claim::{Claim, LastRecord};
use crate::metrics::EventSeries;
use crate::source::{Chunk, RawRecord};

/// A batch of as many raw bytes as this is written, however few records it has.
pub const MAX_BATCH_BYTES: usize = 6 << 20;

/// Gathers records until a batch is full or its time is up.
pub struct BatchBuilder {
    topic: Arc<str>,
    max_rows: usize,
    linger: Duration,
    decoder: Decoder,
    series: EventSeries,
    batch: Batch,
}

impl BatchBuilder {
    /// A builder for one lane. `max_rows` records or `linger` after the first one a batch is due.
    pub fn new(topic: Arc<str>, max_rows: usize, linger: Duration, series: EventSeries) -> Self {
        let batch = empty(Arc::clone(&topic));
        Self { topic, max_rows, linger, decoder: Decoder::default(), series, batch }
    }

    /// Whether nothing has been gathered.
    pub fn is_empty(&self) -> bool {
        self.batch.spans.is_empty()
    }

    /// Whether no more should be added.
    pub fn is_full(&self) -> bool {
        self.batch.rows.len() + self.batch.dead_letters.len() >= self.max_rows
            || self.batch.bytes >= MAX_BATCH_BYTES
    }

    /// When what has been gathered should be written at the latest.
    pub fn due(&self) -> Option<Instant> {
        (!self.is_empty()).then(|| self.batch.opened + self.linger)
    }

    /// Whether there are records of the partition in the batch.
    pub fn has(&self, partition: i32) -> bool {
        self.batch.spans.iter().any(|span| span.partition == partition)
    }

    /// Hands over what was gathered and begins anew.
    pub fn take(&mut self) -> Batch {
        std::mem::replace(&mut self.batch, empty(Arc::clone(&self.topic)))
    }

    /// Accounts for offsets without a record, up to and with `last`.
    pub fn push_gap(&mut self, claim: &Claim, first: i64, last: i64) {
        let span = self.span(claim, first);
        let span = &mut self.batch.spans[span];
        span.last_offset = last;
        span.gap += last - first + 1;
    }

    /// Decodes a record of the chunk. `next` is the first offset not accounted for: what lies between is a gap.
    pub fn push(&mut self, claim: &Claim, next: i64, chunk: &Arc<Chunk>, position: usize) {
        let raw = chunk.record(position);
        let bytes = raw.bytes();
        let index = self.span(claim, next);
        let place = self.place(chunk, position);
        self.batch.bytes += bytes;
        match self.decode(raw, index, place) {
            Ok(row) => self.batch.rows.push(row),
            Err(rejection) => {
                let text = rejection.to_string();
                self.batch.dead_letters.push(DeadLetter {
                    span: index,
                    place,
                    code: rejection.code,
                    text,
                });
            }
        }
        let span = &mut self.batch.spans[index];
        span.gap += raw.offset() - next;
        span.last_offset = raw.offset();
    }

    /// Notes the last record of each partition, which only now is known to be the last.
    pub fn seal(&mut self) {
        // Later places overwrite earlier ones: both lists are in the order received, but not together.
        let places = self.batch.rows.iter().map(|row| (row.span, row.place));
        let mut last: Vec<Option<Place>> = vec![None; self.batch.spans.len()];
        for (span, place) in
            places.chain(self.batch.dead_letters.iter().map(|letter| (letter.span, letter.place)))
        {
            let later = last[span]
                .is_none_or(|known| (place.chunk, place.record) > (known.chunk, known.record));
            if later {
                last[span] = Some(place);
            }
        }
        for (span, place) in last.into_iter().enumerate() {
            self.batch.spans[span].last_record =
                place.map(|place| fingerprint(self.batch.raw(place)));
        }
    }

    fn decode(&mut self, raw: RawRecord<'_>, span: usize, place: Place) -> Result<Row, Rejection> {
        let Decoded { event, id, digest, version, created_at, dated } =
            record::decode(&mut self.decoder, raw)?;
        let (tuple, lent) = (self.batch.tuples.len(), self.batch.lent.len());
        row::render(
            &mut TupleWriter::new(
                &mut self.batch.tuples,
                &mut self.batch.lent,
                raw.value().unwrap_or_default(),
            ),
            id,
            created_at,
            &event.columns,
            &digest,
            &self.topic,
            version,
        );
        let tuple = tuple..self.batch.tuples.len();
        let lent = lent..self.batch.lent.len();
        let observation = self.series.observe(&event);
        Ok(Row { id, created_at, dated, digest, version, tuple, lent, span, place, observation })
    }

    fn span(&mut self, claim: &Claim, first_offset: i64) -> usize {
        if self.is_empty() {
            self.batch.opened = Instant::now();
        }
        if let Some(known) = self.batch.spans.iter().position(|span| span.claim == claim.id) {
            return known;
        }
        self.batch.spans.push(Span {
            partition: claim.partition,
            claim: claim.id,
            epoch: claim.epoch,
            first_offset,
            last_offset: first_offset - 1,
            gap: 0,
            last_record: None,
        });
        self.batch.spans.len() - 1
    }

    fn place(&mut self, chunk: &Arc<Chunk>, record: usize) -> Place {
        if !self.batch.chunks.last().is_some_and(|last| Arc::ptr_eq(last, chunk)) {
            self.batch.chunks.push(Arc::clone(chunk));
        }
        Place { chunk: self.batch.chunks.len() - 1, record }
    }
}

/// What a record is recognised by when it is read again.
pub fn fingerprint(raw: RawRecord<'_>) -> LastRecord {
    LastRecord {
        offset: raw.offset(),
        timestamp_ms: raw.timestamp_ms(),
        digest: Sha256::digest(raw.value().unwrap_or_default()).into(),
    }
}

fn empty(topic: Arc<str>) -> Batch {
    Batch {
        topic,
        spans: Vec::new(),
        rows: Vec::new(),
        dead_letters: Vec::new(),
        tuples: Vec::new(),
        lent: Vec::new(),
        chunks: Vec::new(),
        bytes: 0,
        opened: Instant::now(),
    }
}
