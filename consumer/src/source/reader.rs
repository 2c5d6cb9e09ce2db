//! The polling loop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use crossbeam_channel::Receiver;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::assignment::Assignment;
use super::chunk::Chunk;
use super::context::{Context, Event};
use super::group_offsets::GroupOffsets;
use super::rate::Rate;
use super::shares::Shares;
use super::{Command, Reading, Setup, ToLane};
use crate::budget::Budget;
use crate::kafka::setup_error;
use crate::metrics::Metrics;

/// A chunk is handed on when it has this many bytes, or when nothing more is waiting.
const CHUNK_BYTES: usize = 128 << 10;
/// What it is made for: the record that fills it mostly ends in here.
const CHUNK_ROOM: usize = CHUNK_BYTES + (16 << 10);
/// Records between two looks at the commands.
const RECORDS_PER_TURN: usize = 64;
/// How long a poll waits when nothing is there; also the longest a command waits.
const POLL: Duration = Duration::from_millis(20);
/// How long the budget may be spent before partitions are paused: pausing throws away what was fetched ahead.
const PAUSE_AFTER: Duration = Duration::from_secs(1);
/// Another start would find the same brokers, so somebody has to decide.
const PROTOCOL_UNSUPPORTED: &str = "the brokers do not support group.protocol=consumer, which needs Kafka 4.0 or later \
    with the feature group.version on: take it out of --kafka-property, or upgrade the brokers";

pub(super) struct Reader {
    consumer: BaseConsumer<Context>,
    assignment: Assignment,
    lanes: Vec<mpsc::UnboundedSender<ToLane>>,
    shares: Shares,
    chunks: Vec<Chunk>,
    budget: Budget,
    metrics: Metrics,
    commands: Receiver<Command>,
    /// Set while the budget is spent.
    spent_since: Option<Instant>,
    draining: bool,
    /// None outside of a group.
    group_offsets: Option<GroupOffsets>,
    rate: Option<Rate>,
}

impl Reader {
    pub(super) fn new(setup: Setup) -> anyhow::Result<Self> {
        let Setup { config, topic, reading, lanes, budget, metrics, health, takeover, commands } =
            setup;
        let consumer: BaseConsumer<Context> =
            config.create_with_context(Context::new(&topic)).map_err(setup_error)?;
        let (sender, receiver) = commands;
        let assignment =
            Assignment::new(Arc::clone(&topic), takeover, sender, metrics.clone(), health);
        let (assignment, group_offsets, rate) = match reading {
            Reading::Group => {
                consumer.subscribe(&[&topic]).context("cannot subscribe to the topic")?;
                (assignment, Some(GroupOffsets::new(topic)), None)
            }
            Reading::Ranges { ends, rate } => (assignment.bounded(ends), None, rate.map(Rate::new)),
        };
        Ok(Self {
            consumer,
            assignment,
            chunks: lanes.iter().map(|_| Chunk::with_room(CHUNK_ROOM)).collect(),
            shares: Shares::new(lanes.len()),
            lanes,
            budget,
            metrics,
            commands: receiver,
            spent_since: None,
            draining: false,
            group_offsets,
            rate,
        })
    }

    /// Runs until [`Command::Close`], or to the end of what is to be read.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        loop {
            while let Ok(command) = self.commands.try_recv() {
                if matches!(command, Command::Close) {
                    return self.close();
                }
                self.obey(command);
            }
            if self.assignment.is_finished() {
                return self.close();
            }
            if let Some(offsets) = &mut self.group_offsets {
                offsets.commit_when_due(&self.consumer);
            }
            if self.draining || self.budget.is_spent() {
                self.hold()?;
            } else {
                if self.spent_since.take().is_some() {
                    self.assignment.resume(&self.consumer).context("cannot resume partitions")?;
                }
                self.read()?;
            }
        }
    }

    /// Hands on up to one turn of records; waits a moment if there are none.
    fn read(&mut self) -> anyhow::Result<()> {
        for _ in 0..RECORDS_PER_TURN {
            if self.budget.is_spent() {
                return Ok(());
            }
            if let Some(wait) = self.rate.as_ref().map(|rate| rate.wait(Instant::now()))
                && !wait.is_zero()
            {
                self.flush();
                self.wait_for_command(wait.min(POLL));
                return Ok(());
            }
            if !self.poll(Duration::ZERO)? {
                self.flush();
                self.poll(POLL)?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits for the budget. Rebalances must still be answered, so after a while partitions are paused and polled.
    fn hold(&mut self) -> anyhow::Result<()> {
        self.flush();
        let since = *self.spent_since.get_or_insert_with(Instant::now);
        if self.draining || since.elapsed() >= PAUSE_AFTER {
            // Again each time: partitions may have been added since.
            self.assignment.pause(&self.consumer).context("cannot pause partitions")?;
            self.poll(POLL)?;
        } else {
            self.wait_for_command(POLL);
        }
        Ok(())
    }

    fn wait_for_command(&mut self, timeout: Duration) {
        if let Ok(command) = self.commands.recv_timeout(timeout) {
            self.obey(command);
        }
    }

    /// Polls once. True if there was a record.
    fn poll(&mut self, timeout: Duration) -> anyhow::Result<bool> {
        let polled = self.consumer.poll(timeout);
        let events = self.consumer.context().take();
        let replaced = events.iter().any(|event| matches!(event, Event::TopicReplaced));
        if events.iter().any(|event| matches!(event, Event::ProtocolUnsupported)) {
            bail!(PROTOCOL_UNSUPPORTED);
        }
        // Out of `self`, so that the message may borrow the consumer while the rest is changed.
        let polled = match polled {
            None => Polled::Nothing,
            // It may be of the new topic; if it is of the old one, it is read again.
            Some(Ok(_)) if replaced => Polled::Nothing,
            Some(Ok(message)) => match self.shares.lane(message.partition()) {
                Some(lane) => {
                    push(&mut self.assignment, &mut self.chunks[lane], &message);
                    let (partition, offset) = (message.partition(), message.offset());
                    Polled::Record { lane, partition, offset }
                }
                // It was taken away, and is its next owner's to read.
                None => Polled::Nothing,
            },
            Some(Err(error)) => Polled::Error(error),
        };
        for event in events {
            self.notice(event);
        }
        match polled {
            Polled::Nothing => Ok(false),
            Polled::Record { lane, partition, offset } => {
                if self.chunks[lane].bytes() >= CHUNK_BYTES {
                    self.flush_lane(lane);
                }
                if let Some(rate) = &mut self.rate {
                    rate.received(Instant::now());
                }
                self.end_at(partition, offset);
                Ok(true)
            }
            Polled::Error(KafkaError::MessageConsumptionFatal(
                RDKafkaErrorCode::UnsupportedVersion,
            )) => bail!(PROTOCOL_UNSUPPORTED),
            Polled::Error(KafkaError::MessageConsumptionFatal(code)) => {
                Err(anyhow!("the Kafka consumer failed for good: {code}"))
            }
            Polled::Error(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset)) => {
                warn!("Kafka: the log of a partition does not have the next offset");
                self.take_over_again();
                Ok(false)
            }
            Polled::Error(error) => {
                // librdkafka goes on by itself; where it cannot, the look at the watermarks finds it.
                warn!("Kafka: {error}");
                Ok(false)
            }
        }
    }

    fn notice(&mut self, event: Event) {
        match event {
            Event::Assigned(partitions) => {
                info!(?partitions, "assigned");
                self.metrics.rebalances.with_label_values(&["assigned"]).inc();
                partitions.into_iter().for_each(|partition| self.assignment.assigned(partition));
            }
            Event::Revoked(partitions) => {
                info!(?partitions, "revoked");
                self.metrics.rebalances.with_label_values(&["revoked"]).inc();
                for partition in partitions {
                    self.assignment.revoked(partition);
                    if let Some(offsets) = &mut self.group_offsets {
                        offsets.revoked(partition);
                    }
                    self.send(partition, ToLane::Released(partition));
                    self.shares.take(partition);
                }
            }
            Event::TopicReplaced => {
                warn!("the brokers have another topic of this name now");
                self.take_over_again();
            }
            Event::ProtocolUnsupported => unreachable!("polling ends on it"),
            Event::Statistics(snapshots) => {
                for (partition, snapshot) in snapshots {
                    if let Some((claim, last)) = self.assignment.tail_gap(partition, snapshot) {
                        self.send(partition, ToLane::TailGap(partition, claim, last));
                        self.end_at(partition, last);
                    }
                }
            }
        }
    }

    /// Everything up to the offset has been received: if that is all that is wanted of the partition, reading it ends.
    fn end_at(&mut self, partition: i32, offset: i64) {
        if let Some((claim, last)) = self.assignment.end_at(&self.consumer, partition, offset) {
            self.send(partition, ToLane::TailGap(partition, claim, last));
        }
    }

    /// Takes every partition over again that is read: the database and the log say together which of them cannot
    /// go on. librdkafka does not name it, does not read it any more, and the log may have the offset again soon.
    fn take_over_again(&mut self) {
        for position in self.assignment.positions() {
            if position.next.is_some() {
                self.obey(Command::Lost(position.partition, position.claim));
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Claimed(claim) => {
                if !self.draining && self.assignment.claimed(&self.consumer, &claim) {
                    if let Some(offsets) = &mut self.group_offsets {
                        offsets.claimed(claim.partition, claim.next_offset);
                    }
                    self.shares.give(claim.partition);
                    self.send(claim.partition, ToLane::Claimed(claim));
                }
            }
            Command::Lost(partition, claim) => {
                if self.assignment.lost(&self.consumer, partition, claim) {
                    self.send(partition, ToLane::Released(partition));
                }
            }
            Command::Halted(partition, claim, halt) => {
                if self.assignment.halted(&self.consumer, partition, claim, &halt) {
                    self.send(partition, ToLane::Released(partition));
                }
            }
            Command::Committed(partition, claim, next) => {
                self.assignment.committed(partition, claim, next);
                if let Some(offsets) = &mut self.group_offsets {
                    offsets.committed(partition, next);
                }
            }
            // Whoever asked may have gone.
            Command::Positions(answer) => drop(answer.send(self.assignment.positions())),
            Command::Drain => {
                self.draining = true;
                self.flush();
                for lane in &self.lanes {
                    let _ = lane.send(ToLane::Stop);
                }
            }
            Command::Close => unreachable!("the loop ends on it"),
        }
    }

    /// Sends something to a partition's lane, after the records that were received before it.
    fn send(&mut self, partition: i32, message: ToLane) {
        let Some(lane) = self.shares.lane(partition) else { return };
        self.flush_lane(lane);
        // A lane ends only when the process does.
        let _ = self.lanes[lane].send(message);
    }

    fn flush(&mut self) {
        (0..self.lanes.len()).for_each(|lane| self.flush_lane(lane));
    }

    fn flush_lane(&mut self, lane: usize) {
        if self.chunks[lane].is_empty() {
            return;
        }
        let chunk =
            std::mem::replace(&mut self.chunks[lane], Chunk::with_room(CHUNK_ROOM)).finished();
        self.budget.take(chunk.bytes());
        let _ = self.lanes[lane].send(ToLane::Records(Arc::new(chunk)));
    }

    /// Leaves the group, so that others take over at once.
    fn close(self) -> anyhow::Result<()> {
        if let Some(mut offsets) = self.group_offsets {
            offsets.commit(&self.consumer, CommitMode::Sync);
        }
        Ok(())
    }
}

enum Polled {
    Nothing,
    Record { lane: usize, partition: i32, offset: i64 },
    Error(KafkaError),
}

fn push(assignment: &mut Assignment, chunk: &mut Chunk, message: &BorrowedMessage<'_>) {
    // What was fetched for a partition that has been taken away since is its next owner's to read.
    if assignment.received(message.partition(), message.offset()) {
        chunk.push(message);
    }
}
