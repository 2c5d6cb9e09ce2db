//! `audit-consumer run`: reads the topic and writes the database, until told to stop.

mod lost;

use std::sync::Arc;

use audit_runtime::admin::{self, AdminOptions, Health};
use audit_runtime::exit::{ExitCode, UsageError};
use audit_runtime::kafka::KafkaOptions;
use audit_runtime::signals;
use audit_runtime::telemetry::{TraceOptions, Traces};
use audit_schema::migrations::OLDEST_SCHEMA;
use rdkafka::ClientConfig;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::lost::LostOffsets;
use super::writing::{SIDE_CONNECTIONS, Stream, WriteOptions, warn_about_topic};
use crate::database::{Database, DatabaseOptions};
use crate::kafka::{self, Probe};
use crate::lane::BatchTraces;
use crate::metrics::Metrics;
use crate::observe::Observer;
use crate::source::Reading;
use crate::stream_name;

/// Options of `run`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Consumer group, and name of the stream in the database
    #[arg(long, env = "AUDIT_GROUP", default_value = "kubernaut-audit", value_name = "NAME")]
    group: String,

    #[command(flatten)]
    writing: WriteOptions,

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
            let config = self.group_config()?;
            config.create_native_config().map(drop).map_err(kafka::setup_error)
        };
        let lost = || {
            lost::accepted(&self.accept_lost, self.reason.as_deref(), &self.kafka.topic).map(drop)
        };
        let database = || Database::new(&self.database.database_url, 1).map(drop);
        [kafka(), lost(), database()].into_iter().filter_map(Result::err).collect()
    }

    fn group_config(&self) -> Result<ClientConfig, UsageError> {
        if stream_name::is_replay(&self.group) {
            let group = &self.group;
            return Err(UsageError(format!(
                "--group {group}: streams whose names begin so are those of `audit-consumer replay`; name it otherwise"
            )));
        }
        kafka::group_config(&self.kafka, &self.group).map_err(UsageError)
    }
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// What kept it from starting, or a Kafka client that failed for good. Outages later on are waited out.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let shutdown = signals::shutdown_token()?;
    let config = options.group_config()?;
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
        started = options.writing.check(&side, OLDEST_SCHEMA, &probe) => started,
        () = shutdown.cancelled() => return Ok(ExitCode::Fine),
    };
    let partitions = started?;
    warn_about_topic(&probe).await;

    let stream: Arc<str> = options.group.as_str().into();
    let running = options.writing.start(
        Stream {
            name: Arc::clone(&stream),
            topic: Arc::clone(&topic),
            config,
            reading: Reading::Group,
            url,
            side: side.clone(),
            probe: probe.clone(),
            accepted_losses,
            metrics: metrics.clone(),
            health: health.clone(),
            traces: traces.tracer().map(|tracer| BatchTraces {
                tracer,
                topic: Arc::clone(&topic),
                group: Arc::clone(&stream),
            }),
        },
        &mut services,
        &background,
    )?;
    let observer = Observer {
        database: side,
        probe,
        commands: running.commands.clone(),
        metrics,
        health: health.clone(),
        stream,
        topic,
    };
    services.spawn(observer.run(background.clone()));
    health.set_ready(true);
    info!(partitions, group = options.group, lanes = options.writing.lanes, "reading");

    let result = running.end(&shutdown).await;
    health.set_ready(false);
    background.cancel();
    let services = async { while services.join_next().await.is_some() {} };
    tokio::join!(services, traces.finish());
    result.map(|()| ExitCode::Fine)
}
