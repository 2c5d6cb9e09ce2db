//! The consumers that are there now.

use std::{ops::Range, time::Duration};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use tokio::time::sleep;

use crate::{pipeline::Pipeline, service::Service};

/// Never fewer than this.
const FEWEST: usize = 2;
/// Never more than this.
const MOST: usize = 3;
/// Milliseconds for which one is frozen: shorter and longer than the session of six seconds.
const PAUSE: Range<u64> = 1_000..9_000;

pub(super) struct Consumers<'a> {
    pipeline: &'a Pipeline<'a>,
    database_url: String,
    all: Vec<Service>,
}

impl<'a> Consumers<'a> {
    /// The first ones, which reach the database by this URL.
    pub(super) fn start(pipeline: &'a Pipeline<'a>, database_url: String) -> Result<Self> {
        let mut consumers = Self { pipeline, database_url, all: Vec::new() };
        for _ in 0..FEWEST {
            consumers.add()?;
        }
        Ok(consumers)
    }

    /// SIGKILL for one, and another one in its place.
    pub(super) async fn kill(&mut self, mut random: Rng) -> Result<()> {
        self.take(&mut random).kill().await?;
        self.add()
    }

    /// SIGSTOP for one, and SIGCONT.
    pub(super) async fn pause(&self, mut random: Rng) -> Result<()> {
        let one = &self.all[random.usize(..self.all.len())];
        one.pause()?;
        // The fault itself, not a wait for something.
        sleep(Duration::from_millis(random.u64(PAUSE))).await;
        one.resume()
    }

    /// One more. The oldest ends when there are too many.
    pub(super) async fn join(&mut self) -> Result<()> {
        self.add()?;
        if self.all.len() > MOST {
            let oldest = self.all.remove(0);
            self.end(oldest).await?;
        }
        Ok(())
    }

    /// SIGTERM for one. Another one starts when there are too few.
    pub(super) async fn leave(&mut self, mut random: Rng) -> Result<()> {
        let one = self.take(&mut random);
        self.end(one).await?;
        if self.all.len() < FEWEST { self.add() } else { Ok(()) }
    }

    /// None of them has ended by itself.
    pub(super) fn alive(&self) -> Result<()> {
        for one in &self.all {
            let status = one.status()?;
            ensure!(status.is_none(), "consumer {} has ended by itself: {status:?}", one.pid());
        }
        Ok(())
    }

    /// Waits until all of them are ready.
    pub(super) async fn ready(&self) -> Result<()> {
        for one in &self.all {
            one.ready().await?;
        }
        Ok(())
    }

    /// SIGTERM for all of them.
    pub(super) async fn stop(&mut self) -> Result<()> {
        while let Some(one) = self.all.pop() {
            self.end(one).await?;
        }
        Ok(())
    }

    /// How each of them is, and its last lines.
    pub(super) fn last_words(&self) -> impl Iterator<Item = String> {
        self.all.iter().map(|one| {
            let state = match one.status() {
                Ok(None) => "runs".to_owned(),
                Ok(Some(status)) => format!("has ended, {status}"),
                Err(error) => format!("cannot be looked at: {error:#}"),
            };
            format!("--- consumer {} {state} ---\n{}", one.pid(), one.log_tail(20))
        })
    }

    /// Whether it is ready does not matter: the next fault may meet it while it starts.
    fn add(&mut self) -> Result<()> {
        let consumer = self.pipeline.consumer();
        let consumer = consumer
            .env("AUDIT_DATABASE_URL", &self.database_url)
            .env("AUDIT_BATCH_SIZE", "50")
            .env("AUDIT_LOG", "info")
            .quiet();
        self.all.push(consumer.start()?);
        Ok(())
    }

    fn take(&mut self, random: &mut Rng) -> Service {
        self.all.swap_remove(random.usize(..self.all.len()))
    }

    async fn end(&self, one: Service) -> Result<()> {
        one.ready().await?;
        self.pipeline.stop(&one).await.with_context(|| one.log_tail(20))
    }
}
