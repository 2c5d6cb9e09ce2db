//! Records as bytes, on their way in and on their way out.

/// What is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The partition; `None` leaves it to the partitioner (Java's, by key).
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Header names and values, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since the Unix epoch. Counts only on topics with
    /// `message.timestamp.type=CreateTime`.
    pub timestamp_ms: Option<i64>,
}

impl Record {
    /// A record with a value and nothing else.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    /// The same in a given partition.
    #[must_use]
    pub fn to_partition(self, partition: i32) -> Self {
        Self { partition: Some(partition), ..self }
    }

    /// The same with a key.
    #[must_use]
    pub fn with_key(self, key: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), Some(value.into())));
        self
    }
}

/// The timestamp of a record whose producer gave it none (-1 in the protocol).
pub(super) const NO_TIME: i64 = 0;

/// Where the broker put a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, in milliseconds since the Unix epoch; 0 if it has none.
    pub timestamp_ms: i64,
}

/// What is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// Its place and time.
    pub at: Acknowledged,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Header names and values, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}
