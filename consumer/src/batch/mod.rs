//! What a lane writes in one transaction.

mod builder;
mod record;
mod row;
mod tuple;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use audit_schema::digest::Digest;
use audit_schema::problem::Code;
use audit_schema::version::Version;
use uuid::Uuid;

use crate::claim::{ClaimId, LastRecord};
use crate::metrics::Observation;
use crate::partitions::Month;
use crate::source::{Chunk, RawRecord};

pub use builder::{BatchBuilder, MAX_BATCH_BYTES, fingerprint};
pub use record::{Decoded, decode, identify};
pub use row::{COLUMNS, HEADER, TRAILER, render, set_created_at};
pub use tuple::{Lent, TupleWriter};

/// Decoded records of one or more partitions, and the raw ones until they are committed.
#[derive(Debug)]
pub struct Batch {
    /// The topic all records are from.
    pub topic: Arc<str>,
    /// The partitions, each with the offsets that this batch accounts for.
    pub spans: Vec<Span>,
    /// Valid records, in the order received.
    pub rows: Vec<Row>,
    /// Records that cannot become rows.
    pub dead_letters: Vec<DeadLetter>,
    /// The rows' COPY tuples without the large values; [`Row::tuple`] points in here.
    pub tuples: Vec<u8>,
    /// The large values, which only the raw records hold; [`Row::lent`] points in here.
    pub lent: Vec<Lent>,
    /// Raw records; [`Place`] points in here.
    pub chunks: Vec<Arc<Chunk>>,
    /// Bytes of the records, as counted in the memory budget.
    pub bytes: usize,
    /// When the first record was received.
    pub opened: Instant,
}

/// A run of offsets of one partition, under one claim.
#[derive(Debug, Clone)]
pub struct Span {
    /// Partition of the topic.
    pub partition: i32,
    /// The claim it was read under.
    pub claim: ClaimId,
    /// The claim's epoch.
    pub epoch: i64,
    /// First offset accounted for.
    pub first_offset: i64,
    /// Last offset accounted for.
    pub last_offset: i64,
    /// Offsets in between that hold no record.
    pub gap: i64,
    /// The last record, if there is one and not only a gap.
    pub last_record: Option<LastRecord>,
}

/// A valid record.
#[derive(Debug, Clone)]
pub struct Row {
    /// The event's id.
    pub id: Uuid,
    /// The time the id carries, else what this record gives for it; microseconds since the Unix epoch.
    pub created_at: i64,
    /// Whether the id carries its time; if not, `audit_id` has the last word on `created_at`.
    pub dated: bool,
    /// Of id and content.
    pub digest: Digest,
    /// Where the record stands in the log.
    pub version: Version,
    /// Its part of [`Batch::tuples`].
    pub tuple: Range<usize>,
    /// Its part of [`Batch::lent`].
    pub lent: Range<usize>,
    /// Its span.
    pub span: usize,
    /// The raw record.
    pub place: Place,
    /// What the event metrics say of it, if it turns out to be new.
    pub observation: Observation,
}

/// A record that cannot become a row, and why.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Its span.
    pub span: usize,
    /// The raw record.
    pub place: Place,
    /// The cause's short name.
    pub code: Code,
    /// The cause in words, without NUL.
    pub text: String,
}

/// Where a raw record is.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Which of [`Batch::chunks`].
    pub chunk: usize,
    /// Which record of it.
    pub record: usize,
}

impl Batch {
    /// The raw record at a place.
    pub fn raw(&self, place: Place) -> RawRecord<'_> {
        self.chunks[place.chunk].record(place.record)
    }

    /// The months that the rows belong to.
    pub fn months(&self) -> BTreeSet<Month> {
        self.rows.iter().filter_map(|row| Month::of_micros(row.created_at)).collect()
    }

    /// Takes out all that belongs to claims for which `lost` holds: somebody else writes it.
    pub fn drop_claims(&mut self, lost: impl Fn(ClaimId) -> bool) {
        if !self.spans.iter().any(|span| lost(span.claim)) {
            return;
        }
        let mut kept = 0;
        let moved: Vec<Option<usize>> = self
            .spans
            .iter()
            .map(|span| {
                (!lost(span.claim)).then(|| {
                    kept += 1;
                    kept - 1
                })
            })
            .collect();
        self.spans.retain(|span| !lost(span.claim));
        self.rows.retain_mut(|row| moved[row.span].map(|span| row.span = span).is_some());
        self.dead_letters
            .retain_mut(|letter| moved[letter.span].map(|span| letter.span = span).is_some());
    }

    /// Turns the row at a position of [`Batch::rows`] into a dead letter.
    pub fn reject(&mut self, position: usize, code: Code, text: String) {
        let row = self.rows.swap_remove(position);
        self.dead_letters.push(DeadLetter { span: row.span, place: row.place, code, text });
    }
}
