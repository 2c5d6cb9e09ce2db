//! `audit-consumer run`: reads the topic and writes the database, until told to stop.

mod lost;
mod startup;
mod stop;

use std::sync::Arc;
use std::time::Duration;

use audit_runtime::admin::{self, AdminOptions, Health};
use audit_runtime::exit::{ExitCode, UsageError};
use audit_runtime::kafka::KafkaOptions;
use audit_runtime::signals;
use audit_runtime::telemetry::{TraceOptions, Traces};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::lost::LostOffsets;
use crate::budget::Budget;
use crate::database::{Database, DatabaseOptions};
use crate::kafka::{self, Probe};
use crate::lane::{self, BatchTraces, ShareLimit};
use crate::metrics::Metrics;
use crate::observe::Observer;
use crate::partitions::Months;
use crate::source;
use crate::store::Store;
use crate::takeover::Takeover;

/// Connections for everything but the lanes: takeovers, partitions, observation.
pub(super) const SIDE_CONNECTIONS: usize = 4;
/// Connections that write, unless another number is asked for.
pub(super) const DEFAULT_LANES: u16 = 2;

/// Options of `run`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Consumer group, and name of the stream in the database
    #[arg(long, env = "AUDIT_GROUP", default_value = "kubernaut-audit", value_name = "NAME")]
    group: String,

    /// Connections that write at the same time; a partition belongs to one of them
    #[arg(long, env = "AUDIT_LANES", default_value_t = DEFAULT_LANES, value_parser = clap::value_parser!(u16).range(1..=64), value_name = "N")]
    lanes: u16,

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

    /// Offsets that are gone from the topic and that you give up for lost, as the halt's message names them; repeatable
    #[arg(
        long,
        env = "AUDIT_ACCEPT_LOST",
        value_name = "TOPIC:PARTITION:FROM-TO",
        value_delimiter = ','
    )]
    accept_lost: Vec<LostOffsets>,

    /// Why the offsets of --accept-lost are given up; goes into the ledger
    #[arg(long, env = "AUDIT_REASON", value_name = "TEXT")]
    reason: Option<String>,

    #[command(flatten)]
    kafka: KafkaOptions,
    #[command(flatten)]
    database: DatabaseOptions,
    #[command(flatten)]
    admin: AdminOptions,
    #[command(flatten)]
    traces: TraceOptions,
}

impl Options {
    /// What keeps `run` from starting whatever the servers say.
    pub(super) fn check(&self) -> Vec<anyhow::Error> {
        let kafka = || {
            let config = kafka::group_config(&self.kafka, &self.group).map_err(UsageError)?;
            config.create_native_config().map(drop).map_err(kafka::setup_error)
        };
        let lost = || {
            lost::accepted(&self.accept_lost, self.reason.as_deref(), &self.kafka.topic).map(drop)
        };
        let database = || Database::new(&self.database.database_url, 1).map(drop);
        [kafka(), lost(), database()].into_iter().filter_map(Result::err).collect()
    }
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// What kept it from starting, or a Kafka client that failed for good. Outages later on are waited out.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let shutdown = signals::shutdown_token()?;
    let config = kafka::group_config(&options.kafka, &options.group).map_err(UsageError)?;
    let topic: Arc<str> = options.kafka.topic.as_str().into();
    let accepted_losses = lost::accepted(&options.accept_lost, options.reason.as_deref(), &topic)?;
    let registry = audit_runtime::metrics::registry("audit-consumer");
    let metrics = Metrics::register(&registry)?;
    // What began elsewhere is kept if it says so, and a batch is traced only for such records.
    let traces = Traces::start(&options.traces, "audit-consumer", 1.0, &registry)?;
    let health = Health::new();
    let listener = options.admin.bind().await?;
    let background = CancellationToken::new();
    let mut services = JoinSet::new();
    let admin = admin::serve(listener, health.clone(), registry, background.clone());
    services.spawn(async move {
        if let Err(error) = admin.await {
            warn!("the admin server has ended: {error}");
        }
    });

    let url = &options.database.database_url;
    let side = Database::new(url, SIDE_CONNECTIONS)?;
    let probe = Probe::new(&options.kafka)?;
    let started = tokio::select! {
        started = startup::check(&side, &probe, options.startup_timeout) => started,
        () = shutdown.cancelled() => return Ok(ExitCode::Fine),
    };
    let partitions = started?;
    startup::warn_about_topic(&probe).await;

    let stream: Arc<str> = options.group.as_str().into();
    let months = Months::default();
    services.spawn(months.clone().keep(side.clone(), background.clone()));
    #[expect(
        clippy::disallowed_methods,
        reason = "a command a batch or rebalance: the source must never be waited for"
    )]
    let commands = crossbeam_channel::unbounded();
    let in_flight = lane::IN_FLIGHT_BYTES * usize::from(options.lanes);
    let budget = Budget::new(in_flight, metrics.in_flight_bytes.clone());
    let give_up = CancellationToken::new();
    let setup = lane::Setup {
        store: Store {
            stream: Arc::clone(&stream),
            topic: Arc::clone(&topic),
            metrics: metrics.clone(),
        },
        database: Database::new(url, usize::from(options.lanes))?,
        months,
        commands: commands.0.clone(),
        budget: budget.clone(),
        metrics: metrics.clone(),
        traces: traces.tracer().map(|tracer| BatchTraces {
            tracer,
            topic: Arc::clone(&topic),
            group: Arc::clone(&stream),
        }),
        health: health.clone(),
        batch_size: usize::try_from(options.batch_size)?,
        linger: options.linger,
        dead_letter_limit: ShareLimit {
            share: options.dead_letter_limit,
            window: options.dead_letter_window,
        },
        give_up: give_up.clone(),
    };
    let mut lanes = JoinSet::new();
    let ways = (0..options.lanes).map(|_| lane::start(&setup, &mut lanes)).collect();
    let takeover = Takeover {
        database: side.clone(),
        probe: probe.clone(),
        metrics: metrics.clone(),
        stream: Arc::clone(&stream),
        topic: Arc::clone(&topic),
        owner: owner().into(),
        accepted_losses,
    };
    let observer = Observer {
        database: side,
        probe,
        commands: commands.0.clone(),
        metrics: metrics.clone(),
        health: health.clone(),
        stream,
        topic: Arc::clone(&topic),
    };
    services.spawn(observer.run(background.clone()));
    let to_source = commands.0.clone();
    let source = source::start(source::Setup {
        config,
        topic,
        lanes: ways,
        budget,
        metrics,
        health: health.clone(),
        takeover,
        commands,
    })?;
    health.set_ready(true);
    info!(partitions, group = options.group, lanes = options.lanes, "reading");

    let result = stop::at_the_end(&shutdown, &to_source, source, lanes, &give_up).await;
    health.set_ready(false);
    background.cancel();
    let services = async { while services.join_next().await.is_some() {} };
    tokio::join!(services, traces.finish());
    result.map(|()| ExitCode::Fine)
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
