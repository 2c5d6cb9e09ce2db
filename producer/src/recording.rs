//! A publisher for tests: keeps what it is given, answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::error::PublishError;
use crate::publish::Publish;
use crate::receipt::{Acknowledged, Receipt};
use crate::record::Record;

/// How a [`RecordingPublisher`] answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Keeps the record and acknowledges it.
    Acknowledge,
    /// Does not take the record.
    Refuse(PublishError),
    /// Takes the record, and its receipt resolves with the error. The record is kept, as it may be by Kafka.
    Fail(PublishError),
    /// Takes the record and never answers; the receipt resolves with [`PublishError::Deadline`] after the time.
    Hang(Duration),
}

/// Keeps all records it is given, in order; acknowledges them (topic `recorded`, partition 0, offsets from 0) unless
/// told otherwise.
///
/// ```
/// use audit_producer::{Publish, Record, RecordingPublisher};
/// use audit_schema::event::{Outcome, WorkflowExecutionAudit};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let publisher = RecordingPublisher::default();
/// let event = WorkflowExecutionAudit::new("rem-1", "restart-pod", "v1", Outcome::Success);
/// let acknowledged = publisher.publish(Record::from_event(&event, "/test")?).await?.await?;
/// assert_eq!(publisher.records()[0].id(), acknowledged.id);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct RecordingPublisher(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    records: Vec<Record>,
    answers: VecDeque<Answer>,
    hanging: Vec<oneshot::Sender<Result<Acknowledged, PublishError>>>,
}

impl RecordingPublisher {
    /// What was taken so far.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.state().records.clone()
    }

    /// The answer to one of the next records, after those already told.
    pub fn next_answer(&self, answer: Answer) {
        self.state().answers.push_back(answer);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Publish for RecordingPublisher {
    fn try_publish(&self, record: Record) -> Result<Receipt, PublishError> {
        let mut state = self.state();
        let answer = state.answers.pop_front().unwrap_or(Answer::Acknowledge);
        let patience = if let Answer::Hang(time) = answer { time } else { Duration::MAX };
        let deadline = Instant::now() + patience.min(Duration::from_secs(3_600));
        let (receipt, sender) = Receipt::new(record.id(), deadline);
        let result = match answer {
            Answer::Refuse(error) => return Err(error),
            Answer::Fail(error) => Some(Err(error)),
            Answer::Hang(_) => None,
            Answer::Acknowledge => {
                let offset = i64::try_from(state.records.len()).unwrap_or(i64::MAX);
                Some(Ok(Acknowledged {
                    id: record.id(),
                    topic: "recorded".to_owned(),
                    partition: 0,
                    offset,
                }))
            }
        };
        state.records.push(record);
        match result {
            // Nobody may be waiting for the answer any more.
            Some(result) => drop(sender.send(result)),
            None => state.hanging.push(sender),
        }
        Ok(receipt)
    }

    async fn publish(&self, record: Record) -> Result<Receipt, PublishError> {
        self.try_publish(record)
    }
}
