//! Events under random faults, for as long as one likes: a short test and `make soak` are this same code.
//!
//! A fault strikes when the stream has come to some point within the portion of events that was published last, and
//! while it strikes the next portion is published. So what a fault leaves behind that does not mend itself keeps the
//! stream from the next point. In the end everything is mended, and `verify --against-topic` must find nothing.

mod consumers;
mod fault;
mod proof;
mod replays;
mod stage;

use std::fmt;

use anyhow::{Context, Result};
use chrono::Utc;
use futures_util::future::try_join;

use self::{fault::Deck, stage::Stage};
use crate::{
    generator::Generator,
    kafka::{KafkaCluster, Publisher},
    load::mixture,
    pipeline::{Pipeline, Servers},
    postgres::PostgresServer,
};

const PARTITIONS: i32 = 4;

/// One round: the events and the faults, which follow from the seed. Their moments do so as far as processes allow.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Events published, duplicates, conflicts and poison not counted.
    pub events: usize,
    /// Faults, in equal parts of the events.
    pub faults: usize,
    /// What events, faults and their moments are made from.
    pub seed: u64,
}

impl fmt::Display for Plan {
    /// As `make soak` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SEED={} EVENTS={} FAULTS={}", self.seed, self.events, self.faults)
    }
}

/// Carries a plan out on servers of its own, and says on standard error what happens.
///
/// # Errors
/// The stream did not go on after a fault, a consumer ended by itself, a partition halted, or what is stored is not
/// what the topic holds. The error says the seed and the consumers' last lines.
pub async fn round(plan: &Plan) -> Result<()> {
    say(plan);
    let (kafka, postgres) =
        tokio::try_join!(KafkaCluster::start(1), PostgresServer::start_new(&[]))?;
    let servers = Servers { kafka: &kafka, postgres: &postgres };
    let pipeline = Pipeline::on(servers, "soak", PARTITIONS).await?;
    let mut stage = Stage::set(&pipeline)?;
    let outcome = async {
        under_fire(plan, &mut stage).await?;
        stage.mended().await?;
        proof::of(plan, &stage).await
    };
    match outcome.await {
        Ok(summary) => {
            say(&summary);
            stage.stop().await
        }
        Err(error) => Err(error.context(stage.last_words().await)),
    }
    .with_context(|| format!("again with: {plan}"))
}

async fn under_fire(plan: &Plan, stage: &mut Stage<'_>) -> Result<()> {
    let mut portions = Portions {
        publisher: stage.pipeline.servers.kafka.publisher()?,
        topic: stage.pipeline.topic.clone(),
        generator: Generator::new(plan.seed, Utc::now()),
        events: plan.events.div_ceil(plan.faults + 1),
    };
    let mut deck = Deck::new(plan.seed);
    let mut published = 0;
    let mut portion = portions.publish().await?;
    for number in 1..=plan.faults {
        let (fault, mut random) = deck.draw();
        let point = published + random.i64(0..portion);
        published += portion;
        let what = format!("fault {number} of {} at {point} records: {fault}", plan.faults);
        stage.reaches(point).await.with_context(|| format!("before {what}"))?;
        say(&what);
        (portion, ()) = try_join(portions.publish(), stage.strike(fault, random))
            .await
            .with_context(|| what.clone())?;
    }
    Ok(())
}

/// The events, in as many portions as are asked for.
struct Portions {
    publisher: Publisher,
    topic: String,
    generator: Generator,
    events: usize,
}

impl Portions {
    /// Publishes the next one and gives the number of its records.
    async fn publish(&mut self) -> Result<i64> {
        let records = mixture(&mut self.generator, self.events);
        let acknowledged = self.publisher.publish(&self.topic, records).await?;
        Ok(i64::try_from(acknowledged.len())?)
    }
}

#[expect(clippy::print_stderr, reason = "whoever waits for it wants to see where it is")]
fn say(line: impl fmt::Display) {
    eprintln!("{line}");
}
