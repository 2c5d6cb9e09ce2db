//! From checked lines to acknowledged events.

use std::cell::Cell;
use std::time::Duration;

use anyhow::bail;
use audit_producer::{Publish, PublishError};
use tokio::sync::mpsc;

use super::reader::{Checked, Content};
use super::refused::{Refused, Report};
use super::tally::{Place, Tally};
use super::window::{Fate, Sent, Window};

/// Between two tries while Kafka does not take events. An import has no hurry.
const PAUSE: Duration = Duration::from_secs(1);

/// Publishes lines. Its futures can be dropped at any moment: what it knows then is true.
pub(super) struct Importer<'a, P> {
    /// None in a dry run.
    pub(super) publisher: Option<P>,
    pub(super) lines: mpsc::Receiver<anyhow::Result<Checked>>,
    pub(super) window: Window,
    pub(super) refused: Refused,
    /// Behind the last line that was taken.
    pub(super) taken: Place,
    pub(super) tally: &'a Cell<Tally>,
}

impl<P: Publish> Importer<'_, P> {
    /// Publishes all lines.
    ///
    /// # Errors
    /// The input or the file of refused lines fails, or Kafka before it has taken a single event. Later on, Kafka is
    /// waited for, however long that takes.
    pub(super) async fn run(&mut self) -> anyhow::Result<()> {
        let mut more = true;
        loop {
            let has_room = self.window.has_room();
            tokio::select! {
                line = self.lines.recv(), if more && has_room => match line {
                    Some(line) => self.take(line?).await?,
                    None => more = false,
                },
                result = self.window.settle_front(), if self.window.front().is_some() => match result {
                    Ok(()) => self.acknowledged(),
                    Err(error) => self.recover(error).await?,
                },
                else => return Ok(()),
            }
        }
    }

    /// Waits for what is under way, up to the first event that is not acknowledged.
    pub(super) async fn wind_up(&mut self) {
        while self.window.front().is_some() && self.window.settle_front().await.is_ok() {
            self.acknowledged();
        }
    }

    async fn take(&mut self, line: Checked) -> anyhow::Result<()> {
        let at = Place { line: line.number, ..self.taken };
        match line.content {
            Content::Blank => {}
            Content::Invalid(invalid) => {
                let text = invalid.line.map(|line| String::from_utf8_lossy(&line).into_owned());
                self.refused.tell(&Report {
                    number: line.number,
                    code: invalid.rejection.code.as_str(),
                    message: invalid.rejection.to_string(),
                    line: text,
                })?;
                self.count(|tally| {
                    tally.events += 1;
                    tally.refused += 1;
                });
            }
            Content::Event(record) => {
                if let Some(publisher) = &self.publisher {
                    let fate = publisher.publish(record.clone()).await.into();
                    self.window.push(Sent { at, record, fate });
                }
                self.count(|tally| tally.events += 1);
            }
        }
        self.taken = Place { line: line.number + 1, position: line.end };
        self.mark();
        Ok(())
    }

    /// The first event of the window is safe.
    fn acknowledged(&mut self) {
        self.window.pop();
        self.count(|tally| tally.published += 1);
        self.mark();
    }

    /// The first event of the window failed. It is sent again, alone, until its fate is known: what refuses it may have
    /// failed its neighbours with it. Then those go again, even where Kafka has them, so that of two contents
    /// of one id the last one in the file is the last one on the topic.
    async fn recover(&mut self, mut error: PublishError) -> anyhow::Result<()> {
        let (Some(publisher), Some(first)) = (self.publisher.clone(), self.window.front()) else {
            return Ok(());
        };
        let (line, record) = (first.at.line, first.record.clone());
        for sent in self.window.iter_mut() {
            // Nothing is concluded from it: all of them are sent again.
            let _ = sent.fate.settle().await;
        }
        let mut waited = false;
        let fate = loop {
            if error.is_retriable() {
                if self.tally.get().published == 0 {
                    bail!("cannot publish the first event, line {line}: {error}");
                }
                tracing::warn!(%error, line, "waiting for Kafka");
                tokio::time::sleep(PAUSE).await;
                waited = true;
            }
            match Fate::from(publisher.publish(record.clone()).await).settle().await {
                Err(again) if again.is_retriable() => error = again,
                fate => break fate,
            }
        };
        if waited {
            tracing::info!(line, "Kafka takes events again");
        }
        match fate {
            Ok(()) => self.acknowledged(),
            Err(refusal) => self.refused_by_kafka(&refusal)?,
        }
        for sent in self.window.iter_mut() {
            sent.fate = publisher.publish(sent.record.clone()).await.into();
        }
        Ok(())
    }

    fn refused_by_kafka(&mut self, refusal: &PublishError) -> anyhow::Result<()> {
        if let Some(sent) = self.window.front() {
            self.refused.tell(&Report {
                number: sent.at.line,
                code: refusal.outcome(),
                message: refusal.to_string(),
                line: Some(String::from_utf8_lossy(sent.record.value()).into_owned()),
            })?;
        }
        self.window.pop();
        self.count(|tally| tally.refused += 1);
        self.mark();
        Ok(())
    }

    fn mark(&self) {
        let next = self.window.front().map_or(self.taken, |first| first.at);
        self.count(|tally| tally.next = next);
    }

    fn count(&self, change: impl FnOnce(&mut Tally)) {
        let mut tally = self.tally.get();
        change(&mut tally);
        self.tally.set(tally);
    }
}

#[cfg(test)]
mod tests;
