//! Where every stream stands, as the database knows it: for people who look, never for the write path.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::{Client, Error, Row};

/// The last so many seconds are what rates are over.
pub const RATE_SECONDS: f64 = 300.0;

/// Of each stream its whole first, then its partitions. Records of a row of the ledger are taken to have come evenly
/// between its first commit and its last.
const STREAMS: &str = "\
WITH recent AS (
    SELECT stream, topic, partition, last_offset - first_offset + 1 - gap - lost AS records,
        extract(epoch FROM updated_at - opened_at) AS seconds,
        extract(epoch FROM updated_at - greatest(opened_at, now() - make_interval(secs => $1))) AS recent_seconds
    FROM audit_batch WHERE updated_at > now() - make_interval(secs => $1)
),
rate AS (
    SELECT stream, topic, partition,
        sum(CASE WHEN seconds > 0 THEN records * recent_seconds / seconds ELSE records END)::float8 / $1 AS rate
    FROM recent GROUP BY stream, topic, partition
)
SELECT c.stream, c.topic, c.partition, c.complete_up_to, c.end_offset_seen - c.next_offset, c.seen_at, c.halted, c.next_offset, s.owner,
    b.opened_at, b.updated_at, b.last_offset - b.first_offset + 1 - b.gap - b.lost, coalesce(r.rate, 0)
FROM audit_completeness c
LEFT JOIN audit_stream s USING (stream, topic, partition)
LEFT JOIN rate r USING (stream, topic, partition)
LEFT JOIN LATERAL (
    SELECT * FROM audit_batch
    WHERE stream = c.stream AND topic = c.topic AND partition = c.partition
    ORDER BY first_offset DESC LIMIT 1
) b ON true
ORDER BY c.stream, c.topic, c.partition NULLS FIRST";

const OPEN_DEAD_LETTERS: &str = "\
SELECT topic, error_code, count(*) FROM audit_dead_letter WHERE resolution IS NULL
GROUP BY topic, error_code ORDER BY topic, count(*) DESC, error_code";

/// A stream of a topic: what one consumer group has read.
#[derive(Debug, Clone, Serialize)]
pub struct Stream {
    /// The consumer group.
    pub stream: String,
    /// The topic.
    pub topic: String,
    /// Every record up to then is in the database; none while that is not known.
    pub complete_up_to: Option<DateTime<Utc>>,
    /// Records behind; none while that of a partition is not known.
    pub lag: Option<i64>,
    /// When the log's ends were looked at, of the partition that was not looked at for longest; none while one never was.
    pub lag_as_of: Option<DateTime<Utc>>,
    /// Records a second lately.
    pub records_per_second: f64,
    /// In their order.
    pub partitions: Vec<Partition>,
}

impl Stream {
    /// Takes from its partitions what is the sum of theirs.
    pub fn sum_up(&mut self) {
        let partitions = self.partitions.iter();
        self.lag = partitions.clone().map(|partition| partition.lag).sum();
        // Of options the least is none.
        self.lag_as_of = partitions.clone().map(|partition| partition.lag_as_of).min().flatten();
        self.records_per_second = partitions.map(|partition| partition.records_per_second).sum();
    }
}

/// One partition of a stream.
#[derive(Debug, Clone, Serialize)]
pub struct Partition {
    /// Its number.
    pub partition: i32,
    /// Records behind; none while nobody has taken it over or looked at its end.
    pub lag: Option<i64>,
    /// When its end was looked at.
    pub lag_as_of: Option<DateTime<Utc>>,
    /// Every record up to then is in the database.
    pub complete_up_to: Option<DateTime<Utc>>,
    /// Everything below is accounted for; none while nobody has taken it over.
    pub next_offset: Option<i64>,
    /// The consumer that took it over last, as host/process.
    pub owner: Option<String>,
    /// The newest row of the ledger.
    pub last_batch: Option<LastBatch>,
    /// Records a second lately.
    pub records_per_second: f64,
    /// Why it is not read until somebody decides: the reason, a colon, what was found and what can be done.
    pub halted: Option<String>,
}

/// The newest row of a partition's ledger.
#[derive(Debug, Clone, Serialize)]
pub struct LastBatch {
    /// Its first commit.
    pub opened_at: DateTime<Utc>,
    /// Its last commit so far.
    pub updated_at: DateTime<Utc>,
    /// Records between the two; offsets without one are not counted.
    pub records: i64,
}

/// The dead letters of a topic that nobody has resolved.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetters {
    /// The topic.
    pub topic: String,
    /// How many.
    pub open: i64,
    /// How many of each code, the most first.
    pub codes: Vec<OfCode>,
}

/// Open dead letters of one code.
#[derive(Debug, Clone, Serialize)]
pub struct OfCode {
    /// As in `audit_dead_letter.error_code`.
    pub code: String,
    /// How many.
    pub open: i64,
}

/// Every stream, and the database's time when it was asked.
///
/// # Errors
/// The database does not answer.
pub async fn streams(client: &Client) -> Result<(DateTime<Utc>, Vec<Stream>), Error> {
    let at = client.query_one("SELECT clock_timestamp()", &[]).await?.get(0);
    let mut streams: Vec<Stream> = Vec::new();
    for row in client.query(STREAMS, &[&RATE_SECONDS]).await? {
        match row.get(2) {
            None => streams.push(stream(&row)),
            Some(number) => {
                let whole = streams.last_mut().expect("the whole comes before its partitions");
                whole.partitions.push(partition(number, &row));
            }
        }
    }
    streams.iter_mut().for_each(Stream::sum_up);
    Ok((at, streams))
}

/// Open dead letters by topic and code.
///
/// # Errors
/// The database does not answer.
pub async fn open_dead_letters(client: &Client) -> Result<Vec<DeadLetters>, Error> {
    let mut letters: Vec<DeadLetters> = Vec::new();
    for row in client.query(OPEN_DEAD_LETTERS, &[]).await? {
        let (topic, of_code) = (row.get(0), OfCode { code: row.get(1), open: row.get(2) });
        match letters.last_mut().filter(|last| last.topic == topic) {
            Some(last) => {
                last.open += of_code.open;
                last.codes.push(of_code);
            }
            None => letters.push(DeadLetters { topic, open: of_code.open, codes: vec![of_code] }),
        }
    }
    Ok(letters)
}

fn stream(row: &Row) -> Stream {
    Stream {
        stream: row.get(0),
        topic: row.get(1),
        complete_up_to: row.get(3),
        lag: None,
        lag_as_of: None,
        records_per_second: 0.0,
        partitions: Vec::new(),
    }
}

fn partition(partition: i32, row: &Row) -> Partition {
    let opened_at: Option<DateTime<Utc>> = row.get(9);
    Partition {
        partition,
        complete_up_to: row.get(3),
        lag: row.get::<_, Option<i64>>(4).map(|lag| lag.max(0)),
        lag_as_of: row.get(5),
        halted: row.get(6),
        next_offset: row.get(7),
        owner: row.get(8),
        last_batch: opened_at.map(|opened_at| LastBatch {
            opened_at,
            updated_at: row.get(10),
            records: row.get(11),
        }),
        records_per_second: row.get(12),
    }
}
