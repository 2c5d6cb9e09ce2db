//! A replay from its begin, or from where it was interrupted, to its end.

use std::collections::BTreeMap;
use std::io::stdout;
use std::num::NonZeroU32;

use anyhow::{Context, bail};
use audit_runtime::admin::Health;
use audit_runtime::exit::{ExitCode, UsageError};
use audit_runtime::format::{Format, print};
use audit_runtime::kafka::KafkaOptions;
use audit_runtime::signals;
use audit_schema::migrations::OLDEST_REPLAY_SCHEMA;
use chrono::Utc;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::name::Name;
use super::plan::Plan;
use super::selection::{Selection, SelectionOptions};
use super::{dry_run, overview, progress};
use crate::commands::writing::{SIDE_CONNECTIONS, Stream, WriteOptions};
use crate::database::{Database, DatabaseOptions};
use crate::kafka::{self, Probe};
use crate::metrics::Metrics;
use crate::source::{Command, Commands, Reading};

/// Options of a replay.
#[derive(Debug, clap::Args)]
pub(super) struct ReadOptions {
    /// What to call the replay; without it, the time at which it begins
    #[arg(long, env = "AUDIT_NAME", value_name = "NAME")]
    name: Option<Name>,

    #[command(flatten)]
    selection: SelectionOptions,

    /// Events a second at the most, so that the live stream keeps its latency
    #[arg(long, env = "AUDIT_RATE", value_name = "N")]
    rate: Option<NonZeroU32>,

    /// Write nothing: say for each partition what a replay would find missing
    #[arg(long, env = "AUDIT_DRY_RUN")]
    dry_run: bool,

    /// Go on with the replay of this name where it was interrupted
    #[arg(long, env = "AUDIT_RESUME", value_name = "NAME")]
    resume: Option<Name>,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    writing: WriteOptions,
    #[command(flatten)]
    kafka: KafkaOptions,
    #[command(flatten)]
    database: DatabaseOptions,
}

/// What is asked for.
enum Task {
    /// To compare only.
    DryRun(Selection),
    /// A replay that begins.
    Begin(Name, Selection),
    /// One that was begun.
    Resume(Name),
}

impl ReadOptions {
    /// What keeps the replay from starting whatever the servers say.
    pub(super) fn check(&self) -> Vec<anyhow::Error> {
        let task = || self.task().map(drop).map_err(anyhow::Error::from);
        let kafka = || {
            let config = kafka::reader_config(&self.kafka, "replay").map_err(UsageError)?;
            config.create_native_config().map(drop).map_err(kafka::setup_error)
        };
        let database = || Database::new(&self.database.database_url, 1).map(drop);
        [task(), kafka(), database()].into_iter().filter_map(Result::err).collect()
    }

    fn task(&self) -> Result<Task, UsageError> {
        let now = Utc::now();
        let flags = [("--name", self.name.is_some()), ("--dry-run", self.dry_run)];
        let mut given = flags
            .into_iter()
            .filter_map(|(flag, is_given)| is_given.then_some(flag))
            .chain(self.selection.given());
        if let Some(name) = &self.resume {
            return match given.next() {
                None => Ok(Task::Resume(name.clone())),
                Some(flag) => Err(UsageError(format!(
                    "--resume goes on with a replay as it was begun: leave {flag} out"
                ))),
            };
        }
        let selection = self.selection.of(&self.kafka.topic, now)?;
        match &self.name {
            Some(_) if self.dry_run => {
                Err(UsageError("--dry-run begins no replay: leave --name out".into()))
            }
            None if self.dry_run => Ok(Task::DryRun(selection)),
            name => Ok(Task::Begin(name.clone().unwrap_or_else(|| Name::at(now)), selection)),
        }
    }
}

pub(super) async fn run(options: ReadOptions) -> anyhow::Result<ExitCode> {
    let task = options.task()?;
    let probe = Probe::new(&options.kafka)?;
    match task {
        Task::DryRun(selection) => {
            let ReadOptions { rate, format, kafka, database, .. } = &options;
            let (rate, format, probe) = (*rate, *format, &probe);
            dry_run::run(&dry_run::Setup { selection, rate, format, kafka, probe, database }).await
        }
        Task::Begin(name, selection) => replay(&options, probe, name, Some(selection)).await,
        Task::Resume(name) => replay(&options, probe, name, None).await,
    }
}

/// Reads to the end; what is given to be read makes it a new replay.
async fn replay(
    options: &ReadOptions,
    probe: Probe,
    name: Name,
    begun_for: Option<Selection>,
) -> anyhow::Result<ExitCode> {
    let shutdown = signals::shutdown_token()?;
    let side = Database::new(&options.database.database_url, SIDE_CONNECTIONS)?;
    let partitions = tokio::select! {
        started = options.writing.check(&side, OLDEST_REPLAY_SCHEMA, &probe) => started?,
        () = shutdown.cancelled() => bail!("stopped before the replay began"),
    };
    let mut client = side.get().await.map_err(|error| side.unreachable(&error))?;
    if let Some(selection) = begun_for {
        let ranges = selection.ranges(&probe, partitions).await?;
        Plan::begin(&mut client, &name, &options.kafka.topic, &selection, &ranges).await?;
    }
    let plan = Plan::load(&client, &name).await?;
    if plan.topic != options.kafka.topic {
        let (theirs, ours) = (&plan.topic, &options.kafka.topic);
        bail!(UsageError(format!("the replay {name} reads topic {theirs}, but --topic is {ours}")));
    }
    // The pool is small, and others have use for the connection meanwhile.
    drop(client);
    if !plan.ends().is_empty() {
        info!(events = plan.total(), "replay {name}: if interrupted, `--resume {name}` goes on");
        read(options, &name, &plan, side.clone(), probe, &shutdown).await?;
    }

    let client = side.get().await.map_err(|error| side.unreachable(&error))?;
    let plan = Plan::load(&client, &name).await?;
    print(&mut stdout().lock(), options.format, &overview::result(&client, name.as_str()).await?)
        .context("cannot write the result")?;
    match plan.missing() {
        None => Ok(ExitCode::Fine),
        Some(_) if shutdown.is_cancelled() => {
            bail!("stopped before the end; `audit-consumer replay --resume {name}` goes on")
        }
        Some(missing) => bail!("the replay {name} is not finished: {missing}"),
    }
}

/// Reads what is left of the plan.
async fn read(
    options: &ReadOptions,
    name: &Name,
    plan: &Plan,
    side: Database,
    probe: Probe,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let stream = name.stream();
    let config = kafka::reader_config(&options.kafka, &stream).map_err(UsageError)?;
    let background = CancellationToken::new();
    let mut services = JoinSet::new();
    let running = options.writing.start(
        Stream {
            name: stream.into(),
            topic: options.kafka.topic.as_str().into(),
            config,
            reading: Reading::Ranges { ends: plan.ends(), rate: options.rate },
            url: &options.database.database_url,
            side,
            probe,
            accepted_losses: [].into(),
            // Nobody scrapes them: what the live stream says of the events is not to be counted twice.
            metrics: Metrics::register(&audit_runtime::metrics::registry("audit-consumer"))?,
            health: Health::new(),
            traces: None,
        },
        &mut services,
        &background,
    )?;
    let commands = running.commands.clone();
    let mut positions = plan.positions();
    let done = async || {
        catch_up(&commands, &mut positions).await;
        u64::try_from(positions.values().sum::<i64>() - plan.start()).unwrap_or(0)
    };
    let result = tokio::select! {
        result = running.end(shutdown) => result,
        never = progress::show(u64::try_from(plan.total())?, done) => match never {},
    };
    background.cancel();
    while services.join_next().await.is_some() {}
    result
}

/// Asks the source how far each partition is committed.
async fn catch_up(commands: &Commands, positions: &mut BTreeMap<i32, i64>) {
    let (answer, answered) = oneshot::channel();
    // The source has gone only when the replay is ending.
    let _ = commands.send(Command::Positions(answer));
    for position in answered.await.unwrap_or_default() {
        if let Some(committed) = position.committed {
            positions.insert(position.partition, committed);
        }
    }
}
