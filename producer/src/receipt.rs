//! The promise of an acknowledgement.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::Sleep;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::PublishError;

/// Where Kafka keeps an event, on every replica that is in sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Acknowledged {
    /// The id the event is stored under.
    pub id: Uuid,
    /// The topic it is in.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset in the partition.
    pub offset: i64,
}

/// Resolves once the event is acknowledged, or is known not to be in time.
///
/// Dropping a receipt does not take the event back: it is published all the same.
#[derive(Debug)]
#[must_use = "an event is safe only once its receipt has resolved"]
pub struct Receipt {
    id: Uuid,
    answer: oneshot::Receiver<Result<Acknowledged, PublishError>>,
    deadline: Instant,
    /// Made at the first poll, so that a receipt can be had outside of a tokio runtime.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Receipt {
    /// `deadline` is a second line of defence: it only strikes when librdkafka missed its own.
    pub(crate) fn new(
        id: Uuid,
        deadline: Instant,
    ) -> (Self, oneshot::Sender<Result<Acknowledged, PublishError>>) {
        let (sender, answer) = oneshot::channel();
        (Self { id, answer, deadline, alarm: None }, sender)
    }

    /// The id the event is stored under.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }
}

impl Future for Receipt {
    type Output = Result<Acknowledged, PublishError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(answer) = Pin::new(&mut self.answer).poll(context) {
            let lost = || Err(PublishError::ClientFailed("it ended without an answer".to_owned()));
            return Poll::Ready(answer.unwrap_or_else(|_| lost()));
        }
        let deadline = self.deadline.into();
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        ready!(alarm.as_mut().poll(context));
        Poll::Ready(Err(PublishError::Deadline))
    }
}
