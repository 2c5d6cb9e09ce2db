//! Everything that takes part, and what each fault does to it.

use std::{ops::Range, time::Duration};

use anyhow::{Result, ensure};
use fastrand::Rng;
use tokio::time::sleep;

use super::{consumers::Consumers, fault::Fault, replays::Replays};
use crate::{pipeline::Pipeline, proxy::Proxy};

/// Cuts in a row, so that one of them meets a transaction.
const CUTS: usize = 5;
/// Milliseconds between them.
const BETWEEN_CUTS: Range<u64> = 1..80;
/// How long the stream may take until all is accounted for when everything is mended.
const CATCH_UP: Duration = Duration::from_secs(600);

pub(super) struct Stage<'a> {
    pub(super) pipeline: &'a Pipeline<'a>,
    pub(super) replays: Replays<'a>,
    consumers: Consumers<'a>,
    /// The way of consumers and replays to the database.
    proxy: Proxy,
}

impl<'a> Stage<'a> {
    pub(super) fn set(pipeline: &'a Pipeline<'a>) -> Result<Self> {
        let proxy = Proxy::start(pipeline.servers.postgres.address())?;
        let url = proxy.url(pipeline.servers.postgres.address(), &pipeline.database_url);
        let consumers = Consumers::start(pipeline, url.clone())?;
        Ok(Self { pipeline, replays: Replays::new(pipeline, url), consumers, proxy })
    }

    /// Waits until so many records are accounted for. Everything that should be at work is.
    pub(super) async fn reaches(&self, records: i64) -> Result<()> {
        self.pipeline.reaches(records).await?;
        self.consumers.alive()?;
        self.nothing_is_halted().await
    }

    /// Lets a fault happen. Afterwards servers run again, and the rest mends itself.
    pub(super) async fn strike(&mut self, fault: Fault, random: Rng) -> Result<()> {
        let (kafka, postgres) = (self.pipeline.servers.kafka, self.pipeline.servers.postgres);
        match fault {
            Fault::Kill => self.consumers.kill(random).await,
            Fault::Pause => self.consumers.pause(random).await,
            Fault::Join => self.consumers.join().await,
            Fault::Leave => self.consumers.leave(random).await,
            Fault::CutConnections => {
                self.cut_connections(random).await;
                Ok(())
            }
            Fault::EndSessions => self.end_sessions().await,
            Fault::RestartDatabase => postgres.restart().await,
            Fault::CrashDatabase => {
                postgres.crash().await?;
                postgres.start().await
            }
            Fault::RestartBroker => {
                kafka.stop(1).await?;
                kafka.restart(1).await
            }
            Fault::CrashBroker => {
                kafka.kill(1).await?;
                kafka.restart(1).await
            }
            Fault::Replay => self.replays.go_on(random).await,
            Fault::KillReplay => self.replays.kill(random).await,
        }
    }

    /// Waits until replays have ended, consumers are ready and every offset is accounted for.
    pub(super) async fn mended(&mut self) -> Result<()> {
        self.replays.finish().await?;
        self.consumers.ready().await?;
        self.pipeline.oracle().settled(CATCH_UP).await?;
        self.consumers.alive()?;
        self.nothing_is_halted().await
    }

    /// Ends the consumers in the orderly way.
    pub(super) async fn stop(&mut self) -> Result<()> {
        self.consumers.stop().await
    }

    /// Where partitions stand and what the consumers said last.
    pub(super) async fn last_words(&self) -> String {
        let mut lines = match self.pipeline.streams().await {
            Ok(streams) => streams.iter().map(|stream| format!("{stream:?}")).collect(),
            Err(error) => vec![format!("the database does not say where streams are: {error:#}")],
        };
        lines.extend(self.consumers.last_words());
        lines.join("\n")
    }

    async fn nothing_is_halted(&self) -> Result<()> {
        for stream in self.pipeline.streams().await? {
            ensure!(stream.halted.is_none(), "a partition is halted: {stream:?}");
        }
        Ok(())
    }

    async fn cut_connections(&self, mut random: Rng) {
        for _ in 0..CUTS {
            // The moment of the fault, not a wait for something.
            sleep(Duration::from_millis(random.u64(BETWEEN_CUTS))).await;
            self.proxy.cut_all();
        }
    }

    async fn end_sessions(&self) -> Result<()> {
        let client = self.pipeline.servers.postgres.connect(&self.pipeline.database).await?;
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        client.execute(sql, &[]).await?;
        Ok(())
    }
}
