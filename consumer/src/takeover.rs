//! Takes a partition over from whoever wrote it before, and finds out where to go on.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use rdkafka::error::KafkaError;
use tokio_postgres::error::SqlState;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::claim::{Claim, ClaimId, Halt, HaltReason, LastRecord};
use crate::database::{Database, describe, describe_pool, sqlstate};
use crate::kafka::{Probe, Watermarks};
use crate::metrics::Metrics;
use crate::stream_name;

/// How long a takeover waits for the previous owner's transaction before it ends that session.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '1s'";

/// Offsets that an operator gave up, in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedLoss {
    /// The partition.
    pub partition: i32,
    /// First lost offset: where the stream stands.
    pub from: i64,
    /// Last lost offset.
    pub to: i64,
    /// Why, for the ledger.
    pub reason: String,
}

/// What every takeover of this process needs.
#[derive(Clone)]
pub struct Takeover {
    /// The database.
    pub database: Database,
    /// The brokers.
    pub probe: Probe,
    /// Where retries are counted.
    pub metrics: Metrics,
    /// Stream name.
    pub stream: Arc<str>,
    /// Topic.
    pub topic: Arc<str>,
    /// This process, for people who look at the stream table.
    pub owner: Arc<str>,
    /// What an operator gave up for lost.
    pub accepted_losses: Arc<[AcceptedLoss]>,
}

/// Why one attempt gave no claim.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{}", describe(.0))]
    Database(#[from] tokio_postgres::Error),
    #[error("no connection: {}", describe_pool(.0))]
    Pool(#[from] deadpool_postgres::PoolError),
    #[error("Kafka: {0}")]
    Kafka(#[from] KafkaError),
}

impl Takeover {
    /// Takes the partition over, however long the database or the brokers are away.
    ///
    /// # Errors
    /// The partition cannot be read on without an operator's decision.
    pub async fn run(&self, partition: i32, id: ClaimId) -> Result<Claim, Halt> {
        let mut backoff = Backoff::default();
        loop {
            let failure = match self.attempt(partition, id).await {
                Ok(Ok(claim)) => return Ok(claim),
                Ok(Err(halt)) => return Err(halt),
                Err(failure) => failure,
            };
            let mut code = None;
            if let Failure::Database(error) = &failure {
                code = sqlstate(error);
                if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
                    self.end_previous_owner(partition).await;
                }
            }
            self.metrics.retry(code);
            let delay = backoff.next_delay();
            warn!(
                partition,
                attempts = backoff.attempts,
                "cannot take the partition over yet: {failure}"
            );
            tokio::time::sleep(delay).await;
        }
    }

    async fn attempt(&self, partition: i32, id: ClaimId) -> Result<Result<Claim, Halt>, Failure> {
        let watermarks = self.probe.watermarks(partition).await?;
        let mut client = self.database.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LOCK_TIMEOUT).await?;
        let mut position = self.raise_epoch(&transaction, partition, watermarks).await?;
        let mut found = position.check(&self.stream, &self.topic, partition, watermarks);
        let mut lost = 0;
        if found.is_err()
            && let Some(loss) = self.loss_to_book(partition, &position, watermarks)
        {
            lost = self.book_loss(&transaction, loss).await?;
            position.next_offset = loss.to + 1;
            position.last = None;
            found = position.check(&self.stream, &self.topic, partition, watermarks);
        }
        let halted = found.as_ref().err().map(|halt| format!("{}: {}", halt.reason, halt.text));
        let sql = "UPDATE audit_stream SET halted = $4 WHERE stream = $1 AND topic = $2 AND partition = $3";
        transaction.execute(sql, &[&&*self.stream, &&*self.topic, &partition, &halted]).await?;
        transaction.commit().await?;
        self.metrics.records.with_label_values(&["lost"]).inc_by(lost);
        Ok(found.map(|()| {
            info!(
                partition,
                epoch = position.epoch,
                next_offset = position.next_offset,
                "took the partition over"
            );
            Claim {
                id,
                partition,
                epoch: position.epoch,
                next_offset: position.next_offset,
                last: position.last.filter(|last| last.offset >= watermarks.low),
            }
        }))
    }

    async fn raise_epoch(
        &self,
        transaction: &Transaction<'_>,
        partition: i32,
        watermarks: Watermarks,
    ) -> Result<Position, tokio_postgres::Error> {
        let row = "INSERT INTO audit_stream (stream, topic, partition) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        transaction.execute(row, &[&&*self.stream, &&*self.topic, &partition]).await?;
        let sql = "UPDATE audit_stream SET epoch = epoch + 1, start_offset = coalesce(start_offset, $4), \
                   next_offset = coalesce(next_offset, $4), owner = $5, owner_backend_pid = NULL, \
                   owner_backend_start = NULL, taken_over_at = now() \
                   WHERE stream = $1 AND topic = $2 AND partition = $3 \
                   RETURNING epoch, next_offset, last_offset, last_timestamp, last_digest";
        let low = watermarks.low;
        let row = transaction
            .query_one(sql, &[&&*self.stream, &&*self.topic, &partition, &low, &&*self.owner])
            .await?;
        let last = row
            .get::<_, Option<i64>>(2)
            .zip(row.get::<_, Option<DateTime<Utc>>>(3))
            .zip(row.get::<_, Option<Vec<u8>>>(4));
        Ok(Position {
            epoch: row.get(0),
            next_offset: row.get(1),
            last: last.and_then(|((offset, timestamp), digest)| {
                let digest = digest.try_into().ok()?;
                Some(LastRecord { offset, timestamp_ms: timestamp.timestamp_millis(), digest })
            }),
        })
    }

    /// The operator's word, if it is about exactly what is missing here.
    fn loss_to_book(
        &self,
        partition: i32,
        position: &Position,
        watermarks: Watermarks,
    ) -> Option<&AcceptedLoss> {
        self.accepted_losses.iter().find(|loss| {
            loss.partition == partition
                && loss.from == position.next_offset
                && loss.to < watermarks.low
        })
    }

    /// Gives the number of offsets.
    async fn book_loss(
        &self,
        transaction: &Transaction<'_>,
        loss: &AcceptedLoss,
    ) -> Result<u64, tokio_postgres::Error> {
        warn!(
            partition = loss.partition,
            from = loss.from,
            to = loss.to,
            "booking offsets as lost: {}",
            loss.reason
        );
        let count = loss.to - loss.from + 1;
        let ledger = "INSERT INTO audit_batch (stream, topic, partition, first_offset, last_offset, lost, reason) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7)";
        transaction
            .execute(
                ledger,
                &[
                    &&*self.stream,
                    &&*self.topic,
                    &loss.partition,
                    &loss.from,
                    &loss.to,
                    &count,
                    &loss.reason,
                ],
            )
            .await?;
        let stream = "UPDATE audit_stream SET next_offset = $4, open_batch = NULL, last_offset = NULL, \
                      last_timestamp = NULL, last_digest = NULL WHERE stream = $1 AND topic = $2 AND partition = $3";
        transaction
            .execute(stream, &[&&*self.stream, &&*self.topic, &loss.partition, &(loss.to + 1)])
            .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Writes down why a partition is halted, for whoever asks the database. Best effort: metric and log say it too.
    pub async fn note_halt(&self, partition: i32, halt: &Halt) {
        let sql = "UPDATE audit_stream SET halted = $4 \
                   WHERE stream = $1 AND topic = $2 AND partition = $3 AND owner = $5";
        let text = format!("{}: {}", halt.reason, halt.text);
        if let Ok(client) = self.database.get().await
            && let Err(error) = client
                .execute(sql, &[&&*self.stream, &&*self.topic, &partition, &text, &&*self.owner])
                .await
        {
            warn!(partition, "cannot note the halt in the database: {}", describe(&error));
        }
    }

    /// Ends the session of an owner that is frozen inside a transaction: it cannot be asked.
    async fn end_previous_owner(&self, partition: i32) {
        // Another user's session may not be ended, and does not even show since when it is there. The server ends it
        // for being idle in its transaction.
        let sql = "SELECT a.usename::text, a.usename = session_user, \
                   CASE WHEN a.backend_start = s.owner_backend_start THEN pg_terminate_backend(a.pid) END \
                   FROM audit_stream s JOIN pg_stat_activity a ON a.pid = s.owner_backend_pid \
                   WHERE s.stream = $1 AND s.topic = $2 AND s.partition = $3";
        let Ok(client) = self.database.get().await else { return };
        match client.query_opt(sql, &[&&*self.stream, &&*self.topic, &partition]).await {
            Ok(Some(row)) if row.get::<_, Option<bool>>(2) == Some(true) => {
                warn!(partition, "ended the previous owner's database session");
            }
            Ok(Some(row)) if row.get::<_, Option<bool>>(1) == Some(false) => {
                let user = row.get::<_, Option<String>>(0);
                warn!(
                    partition,
                    user,
                    "the previous owner's database session is another user's: the server has to end it"
                );
            }
            Ok(_) => {}
            Err(error) => {
                warn!(partition, "cannot end the previous owner's session: {}", describe(&error));
            }
        }
    }
}

/// Where the stream stands in the database.
struct Position {
    epoch: i64,
    next_offset: i64,
    last: Option<LastRecord>,
}

impl Position {
    /// Whether the log still has what comes next.
    fn check(
        &self,
        stream: &str,
        topic: &str,
        partition: i32,
        log: Watermarks,
    ) -> Result<(), Halt> {
        let next = self.next_offset;
        if next < log.low {
            let last = log.low - 1;
            // What the live stream has stored of them is not known here.
            let text = if stream_name::is_replay(stream) {
                format!(
                    "offsets {next} to {last} are gone from the topic and were not read again; begin another replay \
                     of what is left of partition {partition}"
                )
            } else {
                format!(
                    "offsets {next} to {last} are gone from the topic and were never stored; restore them, or go on \
                     without them: --accept-lost {topic}:{partition}:{next}-{last} --reason .."
                )
            };
            return Err(Halt { reason: HaltReason::Truncated, text });
        }
        if next > log.high {
            return Err(Halt {
                reason: HaltReason::Recreated,
                text: format!(
                    "the topic ends at offset {} but {next} are accounted for: it was recreated or lost its end; \
                     read the new topic as another stream (--group)",
                    log.high
                ),
            });
        }
        Ok(())
    }
}

/// A delay before a partition is taken over again, so that two consumers that fence each other do not go on for ever.
pub fn jittered_delay() -> Duration {
    Duration::from_millis(fastrand::u64(100..600))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(next_offset: i64, low: i64, high: i64) -> Option<HaltReason> {
        let position = Position { epoch: 1, next_offset, last: None };
        position.check("s", "t", 0, Watermarks { low, high }).err().map(|halt| halt.reason)
    }

    #[test]
    fn the_log_must_have_what_comes_next() {
        assert_eq!(check(5, 0, 9), None);
        assert_eq!(check(5, 5, 5), None);
        assert_eq!(check(4, 5, 9), Some(HaltReason::Truncated));
        assert_eq!(check(10, 0, 9), Some(HaltReason::Recreated));
    }
}
