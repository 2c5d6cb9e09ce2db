//! The clocks of this machine, the database and the brokers.
//!
//! A clock is read by asking for the time and looking at our own before and after. Kafka has no such question: only a
//! record tells a broker's time, when it is written (`--probe-topic`) or, if it is dated ahead of us, afterwards. So
//! without a probe topic a broker that is behind, or that is ahead and has written nothing lately, is not seen.

use std::time::Duration;

use audit_runtime::kafka::KafkaOptions;
use chrono::{DateTime, TimeDelta, Utc};
use rdkafka::ClientConfig;
use rdkafka::message::Timestamp;
use rdkafka::metadata::{Metadata, MetadataPartition, MetadataTopic};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio_postgres::Client;

use super::finding::Finding;
use crate::kafka::Probe;

/// An idle partition is called complete up to this machine's time, while records carry the broker's. Reports ask for
/// minutes: a second is lost in them, half a minute is an event in the wrong one.
const WARNING: TimeDelta = TimeDelta::seconds(1);
const BAD: TimeDelta = TimeDelta::seconds(30);

/// How long a probe's record may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first record pays for the connection, so a later one tells the time better.
const PROBES: usize = 3;

pub(super) async fn database(client: &Client) -> Finding {
    let check = "database clock";
    let asking = async {
        // Prepared before, so that a single round trip is timed.
        let statement = client.prepare("SELECT clock_timestamp()").await?;
        let before = Utc::now();
        let there: DateTime<Utc> = client.query_one(&statement, &[]).await?.get(0);
        Ok(Reading { before, there, after: Utc::now() })
    };
    match asking.await {
        Ok(reading) => judge(check, reading.skew()),
        Err(error) => Finding::unanswered(check, &error),
    }
}

pub(super) async fn broker_by_records(probe: &Probe, metadata: &Metadata) -> Finding {
    let check = "broker clock";
    let partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
    for partition in partitions.map(MetadataPartition::id) {
        for limit in [BAD, WARNING] {
            match probe.offset_from(partition, Utc::now() + limit).await {
                Ok(None) => {}
                Ok(Some(_)) => {
                    let ahead = limit.num_seconds();
                    let found = format!(
                        "partition {partition} has a record dated {ahead} s or more ahead of this machine"
                    );
                    let advice = "synchronise the clocks of brokers and this machine (NTP); under CreateTime, the producers'";
                    return if limit == BAD {
                        Finding::bad(check, found, advice)
                    } else {
                        Finding::warning(check, found, advice)
                    };
                }
                Err(error) => {
                    let found = format!("partition {partition} cannot be asked: {error}");
                    return Finding::warning(check, found, "look at the broker that leads it");
                }
            }
        }
    }
    Finding::good(check, "no record is dated ahead of this machine (--probe-topic sees more)")
}

/// Writes to each partition of the topic, so that each broker that leads one is asked.
pub(super) async fn broker_by_probe(options: &KafkaOptions, topic: &str) -> Finding {
    let check = "broker clock";
    match read_brokers(options, topic).await {
        Ok(Some(skew)) => judge(check, skew),
        Ok(None) => Finding::warning(
            check,
            format!("{topic} does not have the brokers' time in its records"),
            format!(
                "kafka-configs.sh --alter --topic {topic} --add-config message.timestamp.type=LogAppendTime"
            ),
        ),
        Err(error) => Finding::warning(
            check,
            format!("cannot write to {topic}: {error:#}"),
            "name a topic that exists and that this user may write (--probe-topic)",
        ),
    }
}

/// The largest skew of the brokers that lead the topic's partitions; none if its records have the producer's time.
async fn read_brokers(options: &KafkaOptions, topic: &str) -> anyhow::Result<Option<TimeDelta>> {
    let mut config: ClientConfig = options.properties().into_iter().collect();
    config
        .set("client.id", "kubernaut-audit-doctor")
        .set("linger.ms", "0")
        .set("message.timeout.ms", PATIENCE.as_millis().to_string());
    let producer: FutureProducer = config.create().map_err(crate::kafka::setup_error)?;
    let asking = producer.clone();
    // All topics: asking for one would create it where brokers are set up to.
    let metadata =
        tokio::task::spawn_blocking(move || asking.client().fetch_metadata(None, PATIENCE));
    let metadata = metadata.await??;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let partitions = found.map_or(0, |found| found.partitions().len());
    anyhow::ensure!(partitions > 0, "there is no such topic");
    let mut largest = TimeDelta::zero();
    for partition in 0..i32::try_from(partitions)? {
        let mut readings = Vec::with_capacity(PROBES);
        for _ in 0..PROBES {
            let record = FutureRecord::<(), _>::to(topic).partition(partition).payload("clock");
            let before = Utc::now();
            let sent = producer.send(record, PATIENCE).await.map_err(|(error, _)| error)?;
            let after = Utc::now();
            let Timestamp::LogAppendTime(there) = sent.timestamp else { return Ok(None) };
            let there = DateTime::from_timestamp_millis(there).unwrap_or_default();
            readings.push(Reading { before, there, after });
        }
        let best = readings.iter().min_by_key(|reading| reading.after - reading.before);
        let skew = best.map_or(TimeDelta::zero(), Reading::skew);
        largest = if skew.abs() > largest.abs() { skew } else { largest };
    }
    Ok(Some(largest))
}

/// A clock's time, and ours before and after it was read.
struct Reading {
    before: DateTime<Utc>,
    there: DateTime<Utc>,
    after: DateTime<Utc>,
}

impl Reading {
    /// How far the clock is ahead of ours at the least; negative if it is behind. Any time between before and after
    /// may be the one at which it was read.
    fn skew(&self) -> TimeDelta {
        if self.there > self.after {
            self.there - self.after
        } else if self.there < self.before {
            self.there - self.before
        } else {
            TimeDelta::zero()
        }
    }
}

fn judge(check: &str, skew: TimeDelta) -> Finding {
    let size = skew.abs();
    let milliseconds = size.num_milliseconds();
    let side = if skew < TimeDelta::zero() { "behind" } else { "ahead of" };
    let found = format!("{milliseconds} ms {side} this machine, or more");
    let advice = "synchronise both clocks (NTP)";
    if size > BAD {
        Finding::bad(check, found, advice)
    } else if size > WARNING {
        Finding::warning(check, found, advice)
    } else {
        Finding::good(check, "agrees with this machine")
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    fn status(there_ms: i64, round_trip_ms: i64) -> Status {
        let before = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let there = before + TimeDelta::milliseconds(there_ms);
        let after = before + TimeDelta::milliseconds(round_trip_ms);
        judge("clock", Reading { before, there, after }.skew()).status
    }

    #[test]
    fn seconds_are_a_warning_and_half_a_minute_is_bad() {
        assert_eq!(status(0, 0), Status::Good);
        assert_eq!(status(1_000, 0), Status::Good);
        assert_eq!(status(1_001, 0), Status::Warning);
        assert_eq!(status(-1_001, 0), Status::Warning);
        assert_eq!(status(30_000, 0), Status::Warning);
        assert_eq!(status(30_001, 0), Status::Bad);
        assert_eq!(status(-30_001, 0), Status::Bad);
    }

    #[test]
    fn a_slow_answer_is_no_skew() {
        assert_eq!(status(4_000, 5_000), Status::Good);
        assert_eq!(status(0, 5_000), Status::Good);
        assert_eq!(status(6_500, 5_000), Status::Warning);
        assert_eq!(status(-1_500, 5_000), Status::Warning);
    }

    #[test]
    fn the_side_is_named() {
        let found = |seconds| judge("clock", TimeDelta::seconds(seconds)).found;
        assert_eq!(found(2), "2000 ms ahead of this machine, or more");
        assert_eq!(found(-2), "2000 ms behind this machine, or more");
    }
}
