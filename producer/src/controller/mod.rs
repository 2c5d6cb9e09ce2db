//! `audit-producer controller`: publishes WorkflowExecution resources as they finish.
//!
//! ```text
//! API server ─► watch ─► plan ─► dispatch ─► settle ─► persist ─► Kafka
//!      ▲                  │ shape, event,      │          │
//!      └── patch ◄── mark │ redact, problem    └──────────┘ acknowledged: then mark
//! ```
//!
//! The resources themselves are the outbox: what is to be done follows from how they are, so nothing is lost with this
//! process. A finalizer holds a resource from when it is first seen until its event is safe; then one patch marks it
//! and lets it go. Watching only makes sooner what looking at everything each `--resync` would find.

mod dispatch;
mod election;
mod event;
mod kubernetes;
mod mark;
mod metrics;
mod patch;
mod persist;
mod plan;
mod problem;
mod redact;
mod release;
mod settle;
mod shape;
mod watch;

use std::time::Duration;

use anyhow::Context;
use audit_producer::AuditPublisher;
use audit_runtime::admin::{AdminOptions, Health};
use audit_runtime::exit::ExitCode;
use audit_runtime::{admin, duration, metrics as process_metrics, signals};
use clap::builder::{BoolishValueParser, PossibleValuesParser};
use tokio_util::sync::CancellationToken;

use dispatch::Dispatcher;
use election::{Election, LeaseOptions};
use event::Rules;
use kubernetes::{KubernetesOptions, Resources};
use metrics::ControllerMetrics;
use redact::SecretNames;
use settle::Settler;
use shape::Shape;

use crate::brokers;
use crate::publishing::PublishingOptions;

/// Each resource tells its own shape.
const AUTO: &str = "auto";

/// Options of `audit-producer controller`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,

    /// Name of the cluster: part of the events' ids and of their CloudEvents source
    #[arg(long, env = "AUDIT_CLUSTER", default_value = "default", value_name = "NAME")]
    cluster: String,

    /// How to read the resources: auto looks at each (spec.workflowRef means kubernaut, steps mean steps)
    #[arg(long, env = "AUDIT_SHAPE", default_value = AUTO, value_parser = PossibleValuesParser::new([AUTO].into_iter().chain(Shape::names())))]
    shape: String,

    /// Parameters whose name contains one of these are redacted, whatever its case and punctuation; repeatable,
    /// several also with commas between
    #[arg(
        long,
        env = "AUDIT_REDACT",
        value_delimiter = ',',
        default_value = "password,passwd,secret,token,apikey,accesskey,privatekey,credential",
        value_name = "NAME"
    )]
    redact: Vec<String>,

    /// Hold resources by a finalizer until they are published; with false, let go of all at start, and resources that
    /// are deleted while no controller runs, or Kafka is down, are missing
    #[arg(long, env = "AUDIT_FINALIZER", default_value_t = true, action = clap::ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    finalizer: bool,

    /// How often to look at all resources again
    #[arg(long, env = "AUDIT_RESYNC", default_value = "10m", value_parser = resync, value_name = "DURATION")]
    resync: Duration,

    #[command(flatten)]
    publishing: PublishingOptions,

    #[command(flatten)]
    kubernetes: KubernetesOptions,

    #[command(flatten)]
    lease: LeaseOptions,

    #[command(flatten)]
    admin: AdminOptions,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Take the finalizer off all resources, for when no controller will run any more
    Release(release::Options),
}

impl Options {
    /// What keeps the controller from starting whatever Kafka and the API server say.
    pub(crate) fn check(&self) -> Vec<anyhow::Error> {
        let publishing = self.publishing.check(&self.source()).err().map(anyhow::Error::from);
        let lease = self.lease.check(self.publishing.deadline).err().map(anyhow::Error::from);
        publishing.into_iter().chain(lease).collect()
    }

    fn source(&self) -> String {
        format!("/clusters/{}", self.cluster)
    }

    fn rules(&self) -> Rules {
        Rules {
            cluster: self.cluster.clone(),
            shape: Shape::named(&self.shape),
            secrets: SecretNames::new(&self.redact),
        }
    }
}

/// Publishes until SIGTERM or SIGINT; or runs the command below.
pub(crate) async fn run(mut options: Options) -> anyhow::Result<ExitCode> {
    if let Some(Command::Release(options)) = options.command.take() {
        return release::run(options).await;
    }
    options.lease.check(options.publishing.deadline)?;
    let stop = signals::shutdown_token().context("cannot listen for signals")?;
    let registry = process_metrics::registry("audit-producer");
    let health = Health::new();
    let publisher = options.publishing.publisher(&options.source(), Some(registry.clone()))?;
    let metrics = ControllerMetrics::new(&registry)?;
    let resources = Resources::new(&options.kubernetes).await?;
    let listener = options.admin.bind().await?;

    let end = CancellationToken::new();
    let admin = tokio::spawn(admin::serve(listener, health.clone(), registry, end.clone()));
    tokio::spawn(brokers::watch(
        publisher.trouble(),
        options.publishing.kafka.properties(),
        health.clone(),
        end.clone(),
    ));
    let mut election =
        Election::new(&options.lease, options.publishing.deadline, &resources, &health);
    // Standing by is work as well: a rollout may go on when it is done.
    health.set_ready(true);
    while let Some(term) = stop.run_until_cancelled(election.win()).await {
        metrics.leads(true);
        let settler = Settler::new(
            publisher.clone(),
            resources.clone(),
            options.finalizer,
            metrics.clone(),
            term,
        );
        let has_ended = tokio::select! {
            result = publish(&options, settler, &health, &stop) => {
                result?;
                true
            }
            // What is under way is dropped: the next leader does it. What is queued is given up before that one begins.
            () = election.keep() => false,
        };
        metrics.leads(false);
        if has_ended {
            break;
        }
        tracing::warn!("no longer the leader");
    }

    health.set_ready(false);
    if let Err(unacknowledged) = publisher.close(options.publishing.deadline).await {
        // Their resources are not marked: the next controller publishes them.
        tracing::warn!(%unacknowledged, "gave up");
    }
    election.resign().await;
    tracing::info!("stopped");
    end.cancel();
    admin.await.context("the admin server panicked")?.context("the admin server failed")?;
    Ok(ExitCode::Fine)
}

/// Publishes what there is, and what comes, until told to stop.
async fn publish(
    options: &Options,
    settler: Settler<AuditPublisher>,
    health: &Health,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    if !options.finalizer {
        tracing::warn!(
            "--finalizer=false: resources that are deleted before they are published are missing"
        );
        let released = release::release(&settler.resources, false).await?;
        tracing::info!(?released, "let go of all resources");
    }
    let changes = watch::changes(&settler.resources, options.resync, health);
    let dispatcher = Dispatcher::new(options.rules(), settler);
    tracing::info!(cluster = options.cluster, admin = %options.admin.admin_listen, topic = options.publishing.kafka.topic, "publishing resources");
    dispatcher.run(changes, stop.clone(), options.publishing.deadline).await;
    Ok(())
}

fn resync(text: &str) -> Result<Duration, String> {
    let resync = duration::parse(text).map_err(|error| error.to_string())?;
    if resync >= Duration::from_secs(1) { Ok(resync) } else { Err("must be 1s or more".to_owned()) }
}
