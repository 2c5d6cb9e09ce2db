//! Events as controllers send them: made from a seed, so that a failure can be made again.

mod go_json;
mod poison;
mod shape;
#[cfg(test)]
mod tests;
mod words;
mod workflow;

use std::time::Duration;

use audit_schema::{identity, problem::Code, topic};
use chrono::{DateTime, Utc};
use fastrand::Rng;
use uuid::Uuid;

pub use self::shape::resize;
use self::workflow::Workflow;
use crate::kafka::Record;

/// What kind of id an event has. It decides where the row's `created_at` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// Made from the resource; it carries the resource's creation time.
    Dated,
    /// A random UUID of the client's (version 4); the event says when it was completed.
    ClientMade,
    /// Made by a publisher from an event without a time: the record's timestamp must do.
    Undated,
    /// `"id":""`, as Go sends it: whoever gets the event derives one from the content.
    Absent,
}

impl IdKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Dated, Self::ClientMade, Self::Undated, Self::Absent];
}

/// One finished workflow.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id, unless [`IdKind::Absent`].
    pub id: Option<Uuid>,
    workflow: Workflow,
    respelled: bool,
}

impl Event {
    /// The JSON, byte for byte as Go's `encoding/json` writes it (unless [`Self::respelled`]).
    #[must_use]
    pub fn value(&self) -> Vec<u8> {
        let fields = self.workflow.fields(self.id);
        if self.respelled { go_json::spaced_object(&fields) } else { go_json::object(&fields) }
    }

    /// The record of a publisher: keyed by the id, CloudEvents attributes in the headers.
    #[must_use]
    pub fn record(&self) -> Record {
        let record = self
            .bare_record()
            .with_header(topic::HEADER_SPECVERSION, topic::CE_SPECVERSION)
            .with_header(topic::HEADER_TYPE, topic::CE_TYPE)
            .with_header(topic::HEADER_SOURCE, "/generator")
            .with_header(topic::HEADER_CONTENT_TYPE, topic::CONTENT_TYPE);
        match self.id {
            Some(id) => record.with_header(topic::HEADER_SUBJECT, id.to_string()),
            None => record,
        }
    }

    /// The record of anyone else: the JSON, keyed by the id if there is one, without headers.
    #[must_use]
    pub fn bare_record(&self) -> Record {
        let record = Record::new(self.value());
        match self.id {
            Some(id) => record.with_key(id.to_string()),
            None => record,
        }
    }

    /// The same content in other bytes: a duplicate, though nothing of it compares equal as text.
    #[must_use]
    pub fn respelled(&self) -> Self {
        Self { respelled: true, ..self.clone() }
    }
}

/// Makes events. The same seed and time give the same events in the same order.
#[derive(Clone, Debug)]
pub struct Generator {
    random: Rng,
    latest: DateTime<Utc>,
    spread: Duration,
}

impl Generator {
    /// Events of resources created in the hour before `latest`.
    #[must_use]
    pub fn new(seed: u64, latest: DateTime<Utc>) -> Self {
        Self { random: Rng::with_seed(seed), latest, spread: Duration::from_secs(3600) }
    }

    /// Events of resources created up to so long before the latest time.
    #[must_use]
    pub fn spread_over(self, spread: Duration) -> Self {
        Self { spread, ..self }
    }

    /// One event.
    pub fn event(&mut self, kind: IdKind) -> Event {
        let age = self.random.u64(..self.spread.as_millis().try_into().unwrap_or(u64::MAX).max(1));
        let created_at = self.latest - Duration::from_millis(age);
        let mut workflow = Workflow::random(&mut self.random, created_at);
        if kind == IdKind::Undated {
            workflow.completed_at = None;
        }
        let id = match kind {
            IdKind::Dated => {
                let identity = &workflow.kubernetes;
                Some(identity::from_resource(&identity.cluster, &identity.uid, created_at))
            }
            IdKind::ClientMade => Some(
                uuid::Builder::from_random_bytes(self.random.u128(..).to_ne_bytes()).into_uuid(),
            ),
            IdKind::Undated => {
                Some(identity::from_key("/generator", &workflow.kubernetes.uid, None))
            }
            IdKind::Absent => None,
        };
        Event { id, workflow, respelled: false }
    }

    /// So many events, of all kinds of ids; most are dated, as those of the controller are.
    pub fn events(&mut self, count: usize) -> Vec<Event> {
        (0..count)
            .map(|_| {
                let kind = match self.random.u8(..10) {
                    0 => IdKind::ClientMade,
                    1 => IdKind::Undated,
                    2 => IdKind::Absent,
                    _ => IdKind::Dated,
                };
                self.event(kind)
            })
            .collect()
    }

    /// Another content for the same id. An event without an id has none to share; it becomes
    /// another event.
    pub fn conflict(&mut self, with: &Event) -> Event {
        let mut event = with.clone();
        event.workflow.contradict(&mut self.random);
        event
    }

    /// A record that must become a dead letter with this code, and nothing else.
    ///
    /// # Panics
    /// The code is not one of [`Self::poisons`].
    pub fn poison(&mut self, code: Code) -> Record {
        let event = self.event(IdKind::Dated);
        poison::record(&event, code, &mut self.random)
    }

    /// The codes a record can be made for. What the database refuses is not among them: validation
    /// is there so that no such record exists.
    pub fn poisons() -> impl Iterator<Item = Code> {
        Code::ALL.iter().copied().filter(|code| *code != Code::DatabaseRejected)
    }

    /// The source of randomness, for choices of the test that shall repeat as well.
    pub fn random(&mut self) -> &mut Rng {
        &mut self.random
    }
}
