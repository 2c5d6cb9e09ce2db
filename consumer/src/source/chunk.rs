//! Raw records on their way from Kafka to a lane: many in one allocation.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use audit_schema::version::{Version, record_time};
use rdkafka::Message;
use rdkafka::Timestamp;
use rdkafka::message::Headers;

/// What stands for the name of a header that is not UTF-8.
pub const UNREADABLE: &str = "\u{fffd}";

/// Records of one or more partitions in the order they were received, their bytes back to back.
#[derive(Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    headers: Vec<(Span, Option<Span>)>,
    records: Vec<Entry>,
}

/// A part of the chunk's bytes. Half the size of a `Range<usize>`; a chunk stays far below 4 GiB.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

#[derive(Debug)]
struct Entry {
    partition: i32,
    offset: i64,
    timestamp_ms: i64,
    key: Option<Span>,
    value: Option<Span>,
    headers: Range<u32>,
    headers_readable: bool,
}

/// A record before it is copied in, but for its headers.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Partition of the topic.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The key as it came.
    pub key: Option<&'a [u8]>,
    /// The value as it came; none is a tombstone.
    pub value: Option<&'a [u8]>,
}

/// One record of a chunk.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    chunk: &'a Chunk,
    entry: &'a Entry,
}

impl Chunk {
    /// An empty chunk for so many bytes: one that grew on the way would be copied, and half empty.
    pub fn with_room(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Nothing more comes in: room that was not needed is given back.
    pub fn finished(mut self) -> Self {
        self.bytes.shrink_to_fit();
        self.headers.shrink_to_fit();
        self.records.shrink_to_fit();
        self
    }

    /// Bytes held: what the record's content counts for in the memory budget.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Records held.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Copies a record in, so that librdkafka gets its buffer back.
    pub fn push(&mut self, message: &impl Message) {
        let record = Parts {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: match message.timestamp() {
                Timestamp::LogAppendTime(ms) | Timestamp::CreateTime(ms) => ms,
                Timestamp::NotAvailable => 0,
            },
            key: message.key(),
            value: message.payload(),
        };
        let headers = message.headers();
        let positions = 0..headers.map_or(0, Headers::count);
        self.push_parts(
            record,
            headers.into_iter().flat_map(|headers| {
                positions.clone().map(|position| {
                    // rdkafka panics on a name that is not UTF-8 and offers no other way to the bytes.
                    let header = catch_unwind(AssertUnwindSafe(|| headers.get(position)));
                    header.ok().map(|header| (header.key, header.value))
                })
            }),
        );
    }

    /// Copies a record in by its parts. A header is none if its name cannot be read.
    pub fn push_parts<'a>(
        &mut self,
        record: Parts<'a>,
        headers: impl Iterator<Item = Option<(&'a str, Option<&'a [u8]>)>>,
    ) {
        let first_header = index(self.headers.len());
        let mut headers_readable = true;
        for header in headers {
            headers_readable &= header.is_some();
            let (name, value) = header.unwrap_or((UNREADABLE, None));
            let name = self.append(name.as_bytes());
            let value = value.map(|value| self.append(value));
            self.headers.push((name, value));
        }
        let entry = Entry {
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record_time(record.timestamp_ms),
            key: record.key.map(|key| self.append(key)),
            value: record.value.map(|value| self.append(value)),
            headers: first_header..index(self.headers.len()),
            headers_readable,
        };
        self.records.push(entry);
    }

    /// The record at a position.
    pub fn record(&self, position: usize) -> RawRecord<'_> {
        RawRecord { chunk: self, entry: &self.records[position] }
    }

    fn append(&mut self, bytes: &[u8]) -> Span {
        let span = Span { start: index(self.bytes.len()), len: index(bytes.len()) };
        self.bytes.extend_from_slice(bytes);
        span
    }

    fn get(&self, span: Span) -> &[u8] {
        &self.bytes[span.start as usize..][..span.len as usize]
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("a chunk is sent on long before it holds 4 GiB")
}

impl<'a> RawRecord<'a> {
    /// Partition of the topic.
    pub fn partition(self) -> i32 {
        self.entry.partition
    }

    /// Offset in the partition.
    pub fn offset(self) -> i64 {
        self.entry.offset
    }

    /// The record's timestamp in milliseconds since the Unix epoch.
    pub fn timestamp_ms(self) -> i64 {
        self.entry.timestamp_ms
    }

    /// Where the record stands in the log.
    pub fn version(self) -> Version {
        Version {
            timestamp_ms: self.entry.timestamp_ms,
            partition: self.entry.partition,
            offset: self.entry.offset,
        }
    }

    /// Bytes of key, value and headers: what the record counts for in the memory budget.
    pub fn bytes(self) -> usize {
        let length = |span: Option<Span>| span.map_or(0, |span| span.len as usize);
        let headers =
            &self.chunk.headers[self.entry.headers.start as usize..self.entry.headers.end as usize];
        length(self.entry.key)
            + length(self.entry.value)
            + headers.iter().map(|(name, value)| name.len as usize + length(*value)).sum::<usize>()
    }

    /// The key as it came.
    pub fn key(self) -> Option<&'a [u8]> {
        self.entry.key.map(|span| self.chunk.get(span))
    }

    /// The value as it came; none is a tombstone.
    pub fn value(self) -> Option<&'a [u8]> {
        self.entry.value.map(|span| self.chunk.get(span))
    }

    /// Whether every header's name is UTF-8, as the protocol says; others stand as U+FFFD without a value.
    pub fn headers_readable(self) -> bool {
        self.entry.headers_readable
    }

    /// The headers in their order.
    pub fn headers(self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> {
        let range = self.entry.headers.start as usize..self.entry.headers.end as usize;
        self.chunk.headers[range].iter().map(move |(name, value)| {
            let name = std::str::from_utf8(self.chunk.get(*name))
                .expect("was a &str when it was copied in");
            (name, value.map(|span| self.chunk.get(span)))
        })
    }
}
