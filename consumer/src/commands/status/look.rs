//! One look at everything.

use std::time::Duration;

use anyhow::anyhow;
use audit_runtime::kafka::KafkaOptions;
use audit_schema::migrations::OLDEST_SCHEMA;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::ends;
use crate::database::{self, Database, DatabaseUrl, describe};
use crate::kafka::Probe;
use crate::partitions;
use crate::streams::{self, DeadLetters, RATE_SECONDS, Stream};

/// How long the database may work on one statement.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What was seen.
#[derive(Debug, Serialize)]
pub(super) struct Look {
    /// The database's time.
    pub(super) at: DateTime<Utc>,
    /// What the rates are over.
    pub(super) rate_seconds: f64,
    /// Why the end of the topic, or of a part of it, is as of a consumer's last look.
    pub(super) brokers_error: Option<String>,
    /// Months after this one that have their partition.
    pub(super) months_ahead: usize,
    pub(super) dead_letters: Vec<DeadLetters>,
    pub(super) streams: Vec<Stream>,
}

/// Who looks.
pub(super) struct Looker {
    database: Database,
    probe: Probe,
    topic: String,
}

impl Looker {
    /// Connects to the database, and makes sure that there is something to look at.
    ///
    /// # Errors
    /// One line: no database, no schema, or a property that the Kafka client does not take.
    pub(super) async fn new(kafka: &KafkaOptions, url: &DatabaseUrl) -> anyhow::Result<Self> {
        let probe = Probe::new(kafka)?;
        let (database, client) = database::connect_once(&url.read_only(TIMEOUT), 1).await?;
        database::check_schema(&client, OLDEST_SCHEMA).await?;
        Ok(Self { database, probe, topic: kafka.topic.clone() })
    }

    /// Looks at the database and the brokers; does without the brokers if it must.
    ///
    /// # Errors
    /// The database does not answer.
    pub(super) async fn look(&self) -> anyhow::Result<Look> {
        let (ends, look) = tokio::join!(ends::ask(&self.probe), self.look_at_database());
        let mut look = look?;
        for stream in look.streams.iter_mut().filter(|stream| stream.topic == self.topic) {
            ends.apply(stream);
        }
        look.brokers_error = ends.trouble;
        Ok(look)
    }

    async fn look_at_database(&self) -> anyhow::Result<Look> {
        let client =
            self.database.get().await.map_err(|error| self.database.unreachable(&error))?;
        let reading = async {
            let (at, streams) = streams::streams(&client).await?;
            let dead_letters = streams::open_dead_letters(&client).await?;
            let months_ahead = partitions::months_ahead(&client).await?;
            let rate_seconds = RATE_SECONDS;
            Ok(Look { at, rate_seconds, brokers_error: None, months_ahead, dead_letters, streams })
        };
        reading.await.map_err(|error: tokio_postgres::Error| {
            anyhow!("cannot read where the streams are: {}", describe(&error))
        })
    }
}

impl Look {
    /// Takes the rates from what has moved since another look.
    pub(super) fn compare_with(&mut self, before: &Self) {
        let seconds = (self.at - before.at).as_seconds_f64();
        if seconds <= 0.0 {
            return;
        }
        self.rate_seconds = seconds;
        for stream in &mut self.streams {
            let then = before
                .streams
                .iter()
                .find(|then| (&then.stream, &then.topic) == (&stream.stream, &stream.topic));
            for partition in &mut stream.partitions {
                let mut then = then.iter().flat_map(|then| &then.partitions);
                let then = then.find(|then| then.partition == partition.partition);
                let moved = partition.next_offset.zip(then.and_then(|then| then.next_offset));
                // A database that was set back, or a partition taken over for the first time, says nothing of a rate.
                let moved = moved.map_or(0, |(next, then)| (next - then).max(0));
                #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
                let moved = moved as f64;
                partition.records_per_second = moved / seconds;
            }
            stream.sum_up();
        }
    }
}
