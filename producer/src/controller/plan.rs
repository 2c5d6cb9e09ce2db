//! What is to be done about a resource. Decided from how it is now, never from what has happened to it.

use std::sync::Arc;

use kube::api::DynamicObject;

use super::event::{Content, Rules};
use super::mark::Seen;

/// Something to be done about a resource.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) seen: Seen,
    pub(super) goal: Goal,
}

/// What is to be reached.
#[derive(Clone, Debug)]
pub(super) enum Goal {
    /// It cannot vanish unpublished.
    Held,
    /// It is published, marked and let go.
    Published(Arc<Content>),
    /// It is published already, and let go.
    Released,
}

impl Goal {
    /// Whether reaching one is reaching the other.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Held, Self::Held) | (Self::Released, Self::Released) => true,
            (Self::Published(one), Self::Published(other)) => {
                one.record.digest() == other.record.digest()
            }
            _ => false,
        }
    }
}

/// What is to be done about a resource that exists; `holds`: with the finalizer.
pub(super) fn plan(rules: &Rules, resource: DynamicObject, holds: bool) -> Option<Job> {
    let seen = Seen::new(&resource.metadata);
    let goal = match rules.content(resource, false) {
        None => (holds && !seen.is_held()).then_some(Goal::Held),
        Some(content) => {
            publish(&seen, content).or_else(|| seen.is_held().then_some(Goal::Released))
        }
    };
    goal.map(|goal| Job { seen, goal })
}

/// What is to be done about a resource that is gone. One that was held went because we let it go.
pub(super) fn plan_gone(rules: &Rules, resource: DynamicObject) -> Option<Job> {
    let seen = Seen::new(&resource.metadata);
    if seen.is_held() {
        return None;
    }
    let goal = publish(&seen, rules.content(resource, true)?)?;
    Some(Job { seen, goal })
}

/// Unless the mark says that this very content is published.
fn publish(seen: &Seen, content: Content) -> Option<Goal> {
    let is_published = seen.published.as_ref() == Some(&content.record.digest().to_string());
    (!is_published).then(|| Goal::Published(Arc::new(content)))
}

#[cfg(test)]
mod tests;
