//! What `run` and `replay` have in common: the topic is read into the database as one stream.

mod startup;
mod stop;

use std::sync::Arc;
use std::time::Duration;

use audit_runtime::admin::Health;
use rdkafka::ClientConfig;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::database::{Database, DatabaseUrl};
use crate::kafka::Probe;
use crate::lane::{self, BatchTraces, ShareLimit};
use crate::metrics::Metrics;
use crate::partitions::Months;
use crate::source::{self, Commands, Reading, Source};
use crate::store::Store;
use crate::takeover::{AcceptedLoss, Takeover};

pub(super) use self::startup::warn_about_topic;

/// Connections for everything but the lanes: takeovers, partitions, observation.
pub(super) const SIDE_CONNECTIONS: usize = 4;
/// Connections that write, unless another number is asked for.
pub(super) const DEFAULT_LANES: u16 = 2;

/// How to write.
#[derive(Debug, clap::Args)]
pub(super) struct WriteOptions {
    /// Connections that write at the same time; a partition belongs to one of them
    #[arg(long, env = "AUDIT_LANES", default_value_t = DEFAULT_LANES, value_parser = clap::value_parser!(u16).range(1..=64), value_name = "N")]
    pub(super) lanes: u16,

    /// Records per transaction at the most
    #[arg(long, env = "AUDIT_BATCH_SIZE", default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    batch_size: u32,

    /// How long a record may wait for others of its batch
    #[arg(long, env = "AUDIT_LINGER", default_value = "200ms", value_parser = audit_runtime::duration::parse, value_name = "DURATION")]
    linger: Duration,

    /// Halt a partition of which more than this share of --dead-letter-window offsets in a row would become dead
    /// letters; off or 1 for no limit
    #[arg(long, env = "AUDIT_DEAD_LETTER_LIMIT", default_value = "0.5", value_name = "SHARE|off", value_parser = share)]
    dead_letter_limit: f64,

    /// The number of offsets in a row that --dead-letter-limit is about
    #[arg(long, env = "AUDIT_DEAD_LETTER_WINDOW", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    dead_letter_window: u32,

    /// How long to wait for Kafka and the database when starting
    #[arg(long, env = "AUDIT_STARTUP_TIMEOUT", default_value = "10s", value_parser = audit_runtime::duration::parse, value_name = "DURATION")]
    startup_timeout: Duration,
}

/// A stream, and what is needed to write it.
pub(super) struct Stream<'a> {
    /// Its name in the database.
    pub(super) name: Arc<str>,
    pub(super) topic: Arc<str>,
    pub(super) config: ClientConfig,
    pub(super) reading: Reading,
    /// Where the lanes' connections go.
    pub(super) url: &'a DatabaseUrl,
    /// For everything else.
    pub(super) side: Database,
    pub(super) probe: Probe,
    pub(super) accepted_losses: Arc<[AcceptedLoss]>,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    pub(super) traces: Option<BatchTraces>,
}

/// A stream that is being written.
pub(super) struct Running {
    /// The way to its source.
    pub(super) commands: Commands,
    source: Source,
    lanes: JoinSet<()>,
    give_up: CancellationToken,
}

impl WriteOptions {
    /// Whether database, schema, rights and topic are there; gives the topic's partitions. Waits for what may still
    /// come up.
    ///
    /// # Errors
    /// What is missing and what to do, once waiting cannot help or has been long enough.
    pub(super) async fn check(
        &self,
        database: &Database,
        oldest_schema: i32,
        probe: &Probe,
    ) -> anyhow::Result<i32> {
        startup::check(database, oldest_schema, probe, self.startup_timeout).await
    }

    /// Starts lanes and source. What looks after the table's months becomes one of the services, which end with
    /// `background`.
    ///
    /// # Errors
    /// A client cannot be set up.
    pub(super) fn start(
        &self,
        stream: Stream<'_>,
        services: &mut JoinSet<()>,
        background: &CancellationToken,
    ) -> anyhow::Result<Running> {
        let Stream { name, topic, metrics, health, .. } = stream;
        let months = Months::default();
        services.spawn(months.clone().keep(stream.side.clone(), background.clone()));
        #[expect(
            clippy::disallowed_methods,
            reason = "a command a batch or rebalance: the source must never be waited for"
        )]
        let commands = crossbeam_channel::unbounded();
        let in_flight = lane::IN_FLIGHT_BYTES * usize::from(self.lanes);
        let budget = Budget::new(in_flight, metrics.in_flight_bytes.clone());
        let give_up = CancellationToken::new();
        let setup = lane::Setup {
            store: Store {
                stream: Arc::clone(&name),
                topic: Arc::clone(&topic),
                metrics: metrics.clone(),
            },
            database: Database::new(stream.url, usize::from(self.lanes))?,
            months,
            commands: commands.0.clone(),
            budget: budget.clone(),
            metrics: metrics.clone(),
            traces: stream.traces,
            health: health.clone(),
            batch_size: usize::try_from(self.batch_size)?,
            linger: self.linger,
            dead_letter_limit: ShareLimit {
                share: self.dead_letter_limit,
                window: self.dead_letter_window,
            },
            give_up: give_up.clone(),
        };
        let mut lanes = JoinSet::new();
        let ways = (0..self.lanes).map(|_| lane::start(&setup, &mut lanes)).collect();
        let takeover = Takeover {
            database: stream.side,
            probe: stream.probe,
            metrics: metrics.clone(),
            stream: name,
            topic: Arc::clone(&topic),
            owner: owner().into(),
            accepted_losses: stream.accepted_losses,
        };
        let to_source = commands.0.clone();
        let source = source::start(source::Setup {
            config: stream.config,
            topic,
            reading: stream.reading,
            lanes: ways,
            budget,
            metrics,
            health,
            takeover,
            commands,
        })?;
        Ok(Running { commands: to_source, source, lanes, give_up })
    }
}

impl Running {
    /// Waits until the process is told to stop or all is read that is to be, and ends in order.
    ///
    /// # Errors
    /// The source or a lane ended by itself: going on would leave partitions unread without anyone noticing.
    pub(super) async fn end(self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        stop::at_the_end(shutdown, &self.commands, self.source, self.lanes, &self.give_up).await
    }
}

fn share(text: &str) -> Result<f64, &'static str> {
    let share = if text == "off" { Some(1.0) } else { text.parse().ok() };
    share.filter(|share| (0.0..=1.0).contains(share)).ok_or("write a share from 0 to 1, or off")
}

/// Host and process, for people who look at the stream table.
fn owner() -> String {
    let host = std::env::var("HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map_or_else(|| "unknown".to_owned(), |host| host.trim().to_owned());
    format!("{host}/{}", std::process::id())
}
