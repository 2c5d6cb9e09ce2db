//! What the controller shows.

use chrono::TimeDelta;
use prometheus::{Gauge, IntCounterVec, IntGauge, Opts, Registry};

/// Something odd about a resource that was published.
#[derive(Clone, Copy, Debug)]
pub(super) enum Oddity {
    /// It cannot be an event.
    NoEvent,
    /// A field is not what it should be; the event says which.
    Field,
}

impl Oddity {
    const ALL: [Self; 2] = [Self::NoEvent, Self::Field];

    fn as_str(self) -> &'static str {
        match self {
            Self::NoEvent => "no_event",
            Self::Field => "field",
        }
    }

    /// The reason of the Event that tells of it.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::NoEvent => "NoAuditEvent",
            Self::Field => "OddAuditField",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct ControllerMetrics {
    leader: IntGauge,
    pending: IntGauge,
    oldest: Gauge,
    odd: IntCounterVec,
}

impl ControllerMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let leader = IntGauge::new(
            "kubernaut_audit_controller_leader",
            "1 if this controller publishes, 0 if it stands by",
        )?;
        let pending = IntGauge::new(
            "kubernaut_audit_controller_pending_resources",
            "Resources that are to be published and marked and are not yet",
        )?;
        let oldest = Gauge::new(
            "kubernaut_audit_controller_oldest_pending_seconds",
            "Time since the execution ended that has been pending for longest; 0 if none is",
        )?;
        let odd = IntCounterVec::new(
            Opts::new(
                "kubernaut_audit_controller_odd_resources_total",
                "Odd things about resources that were published, by kind",
            ),
            &["kind"],
        )?;
        for oddity in Oddity::ALL {
            odd.with_label_values(&[oddity.as_str()]);
        }
        registry.register(Box::new(leader.clone()))?;
        registry.register(Box::new(pending.clone()))?;
        registry.register(Box::new(oldest.clone()))?;
        registry.register(Box::new(odd.clone()))?;
        Ok(Self { leader, pending, oldest, odd })
    }

    /// Whoever stands by knows of nothing that waits.
    pub(super) fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
        self.show(0, TimeDelta::zero());
    }

    pub(super) fn show(&self, pending: i64, age: TimeDelta) {
        self.pending.set(pending);
        // The API server's clock may be ahead of ours.
        self.oldest.set(age.max(TimeDelta::zero()).as_seconds_f64());
    }

    pub(super) fn count(&self, oddity: Oddity) {
        self.odd.with_label_values(&[oddity.as_str()]).inc();
    }
}
