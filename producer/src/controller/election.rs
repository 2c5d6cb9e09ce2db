//! Which of several controllers publishes: the one that holds a Lease.
//!
//! Clocks of different machines are never compared: a Lease is free once it has been seen unchanged for its duration,
//! as in client-go. The holder stops a publisher's deadline before that, so that what it has queued is acknowledged or
//! given up when the next one begins.

use std::future::pending;
use std::time::Duration;

use audit_runtime::admin::Health;
use audit_runtime::duration;
use audit_runtime::exit::UsageError;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use super::kubernetes::Resources;

/// The condition that says who leads, or why nobody knows.
const CONDITION: &str = "lease";

/// A term is at least this long without a renewal.
const LEAST_TERM: Duration = Duration::from_secs(1);

/// Renewals in a term, so that a few may fail.
const RENEWALS: u32 = 5;

/// Which Lease.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Leader election")]
pub(super) struct LeaseOptions {
    /// Name of the Lease that is held by whichever of several controllers publishes, in the pod's own namespace (that
    /// of KUBECONFIG's context); the others stand by. Without it: run only one
    #[arg(long, env = "AUDIT_LEASE", value_name = "NAME")]
    lease: Option<String>,

    /// How long after its last renewal another controller takes the Lease; at least 1s more than --deadline
    #[arg(long, env = "AUDIT_LEASE_DURATION", default_value = "15s", value_parser = whole_seconds, value_name = "DURATION")]
    lease_duration: Duration,
}

impl LeaseOptions {
    /// Whether a former leader has nothing queued any more when the next one begins.
    pub(super) fn check(&self, deadline: Duration) -> Result<(), UsageError> {
        if self.lease.is_none() || self.lease_duration >= deadline + LEAST_TERM {
            return Ok(());
        }
        Err(UsageError(
            "--lease-duration (AUDIT_LEASE_DURATION) must be at least 1s more than --deadline (AUDIT_DEADLINE), so that \
             a former leader has nothing left to publish when the next one begins"
                .to_owned(),
        ))
    }
}

fn whole_seconds(text: &str) -> Result<Duration, String> {
    let duration = duration::parse(text).map_err(|error| error.to_string())?;
    let range = Duration::from_secs(2)..=Duration::from_secs(3_600);
    if range.contains(&duration) && duration.subsec_nanos() == 0 {
        Ok(duration)
    } else {
        Err("must be whole seconds, from 2s to 1h".to_owned())
    }
}

/// Whether this controller may publish. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Term {
    /// Nothing: for ever.
    until: watch::Receiver<Option<Instant>>,
}

impl Term {
    /// Told by the clock, whatever has run meanwhile: this process may have been stopped.
    pub(super) fn is_on(&self) -> bool {
        self.until.borrow().is_none_or(|until| Instant::now() < until)
    }
}

#[cfg(test)]
impl Term {
    pub(super) fn until(until: Option<Instant>) -> Self {
        Self { until: watch::channel(until).1 }
    }
}

/// Wins, keeps and gives back the Lease.
pub(super) struct Election {
    candidate: Option<Candidate>,
    until: watch::Sender<Option<Instant>>,
    health: Health,
    trouble: Option<String>,
}

struct Candidate {
    leases: Api<Lease>,
    name: String,
    identity: String,
    duration: Duration,
    term: Duration,
    resources: Resources,
    /// The version of another's Lease, and since when it has been seen.
    rival: Option<(Option<String>, Instant)>,
}

/// How a try ended.
enum Holder {
    Us,
    Other(String),
}

impl Election {
    /// Without a Lease there is one candidate, who wins. `deadline` is that of the publisher.
    pub(super) fn new(
        options: &LeaseOptions,
        deadline: Duration,
        resources: &Resources,
        health: &Health,
    ) -> Self {
        let candidate = options.lease.clone().map(|name| Candidate {
            leases: Api::default_namespaced(resources.client()),
            name,
            identity: identity(),
            duration: options.lease_duration,
            term: options.lease_duration.saturating_sub(deadline),
            resources: resources.clone(),
            rival: None,
        });
        let until = watch::Sender::new(None);
        Self { candidate, until, health: health.clone(), trouble: None }
    }

    /// Waits until this controller is the one that publishes.
    pub(super) async fn win(&mut self) -> Term {
        if let Some(candidate) = &self.candidate {
            let pause = candidate.pause();
            let identity = candidate.identity.clone();
            while !self.renew().await {
                sleep(pause).await;
            }
            tracing::info!(identity, "leads");
        }
        Term { until: self.until.subscribe() }
    }

    /// Renews until the term is over: another has the Lease, or no renewal has come through in time.
    pub(super) async fn keep(&mut self) {
        let Some(candidate) = &self.candidate else { return pending().await };
        let pause = candidate.pause();
        loop {
            let until = *self.until.borrow();
            let Some(until) = until else { return };
            let renewal = async {
                sleep(pause).await;
                self.renew().await;
            };
            // A renewal that nobody has waited for may still take effect: then the Lease is free later, which is safe.
            if timeout_at(until, renewal).await.is_err() {
                return;
            }
        }
    }

    /// Lets another controller have the Lease at once. Only when nothing is queued any more.
    pub(super) async fn resign(self) {
        let Some(mut candidate) = self.candidate else { return };
        if self.until.borrow().is_none_or(|until| Instant::now() >= until) {
            return;
        }
        if let Err(error) = candidate.give_back().await {
            tracing::warn!("cannot give the Lease back: {}", candidate.explain(&error));
        }
    }

    /// Whether the Lease is ours until a later time than before.
    async fn renew(&mut self) -> bool {
        let Some(candidate) = &mut self.candidate else { return true };
        // The next one counts from when it sees the renewal, which is after it was asked for.
        let asked_at = Instant::now();
        let trouble = match candidate.take().await {
            Ok(Holder::Us) => None,
            Ok(Holder::Other(name)) => {
                self.until.send_replace(Some(asked_at));
                Some(format!("stands by, {name} leads"))
            }
            Err(error) => Some(candidate.explain(&error)),
        };
        if trouble.is_none() {
            self.until.send_replace(Some(asked_at + candidate.term));
        }
        let is_ours = trouble.is_none();
        if self.trouble != trouble {
            match &trouble {
                Some(trouble) => tracing::info!("Lease {}: {trouble}", candidate.name),
                None => tracing::info!("Lease {}: renewed", candidate.name),
            }
            self.health.set_condition(CONDITION, trouble.clone());
            self.trouble = trouble;
        }
        is_ours
    }
}

impl Candidate {
    fn pause(&self) -> Duration {
        self.term / RENEWALS
    }

    /// Takes or renews the Lease, unless another holds it.
    async fn take(&mut self) -> kube::Result<Holder> {
        loop {
            let found = self.leases.get_opt(&self.name).await?;
            if let Some(name) = found.as_ref().and_then(|lease| self.held_by_other(lease)) {
                return Ok(Holder::Other(name));
            }
            let written = match found {
                None => self.leases.create(&PostParams::default(), &self.claim(None)).await,
                Some(lease) => self.replace(&self.claim(Some(lease))).await,
            };
            match written {
                Ok(_) => return Ok(Holder::Us),
                // Somebody was faster: it may have been another controller.
                Err(kube::Error::Api(status))
                    if status.is_conflict() || status.is_already_exists() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Who has it, unless that is us, or nobody, or somebody who has not renewed it in time.
    fn held_by_other(&mut self, lease: &Lease) -> Option<String> {
        let spec = lease.spec.as_ref();
        let holder = spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return None;
        }
        let version = &lease.metadata.resource_version;
        let since = match &self.rival {
            Some((seen, since)) if seen == version => *since,
            _ => Instant::now(),
        };
        self.rival = Some((version.clone(), since));
        let seconds = spec.and_then(|spec| spec.lease_duration_seconds);
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let duration = seconds.map_or(self.duration, Duration::from_secs);
        (since.elapsed() < duration).then(|| holder.to_owned())
    }

    /// The Lease as ours, of the version that was found.
    fn claim(&self, found: Option<Lease>) -> Lease {
        let now = MicroTime(Timestamp::now());
        let Lease { metadata, spec, .. } = found.unwrap_or_else(|| Lease {
            metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
            ..Lease::default()
        });
        let before = spec.unwrap_or_default();
        let is_ours = before.holder_identity.as_ref() == Some(&self.identity);
        let (acquired, transitions) = if is_ours {
            (before.acquire_time, before.lease_transitions)
        } else {
            let transitions = before.lease_transitions.map_or(0, |count| count.saturating_add(1));
            (Some(now.clone()), Some(transitions))
        };
        let spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
            acquire_time: acquired,
            lease_transitions: transitions,
            renew_time: Some(now),
            ..LeaseSpec::default()
        };
        Lease { metadata, spec: Some(spec) }
    }

    async fn give_back(&mut self) -> kube::Result<()> {
        let Some(mut lease) = self.leases.get_opt(&self.name).await? else { return Ok(()) };
        let Some(spec) = &mut lease.spec else { return Ok(()) };
        if spec.holder_identity.as_ref() == Some(&self.identity) {
            spec.holder_identity = None;
            self.replace(&lease).await?;
        }
        Ok(())
    }

    async fn replace(&self, lease: &Lease) -> kube::Result<Lease> {
        self.leases.replace(&self.name, &PostParams::default(), lease).await
    }

    fn explain(&self, error: &kube::Error) -> String {
        match error {
            kube::Error::Api(status) if status.is_not_found() => status.message.clone(),
            error => self.resources.explain(error),
        }
    }
}

/// Of this run: pods with the host's network, and processes in containers, may agree in everything but chance.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "audit-controller".to_owned());
    format!("{host}_{}", Uuid::new_v4())
}
