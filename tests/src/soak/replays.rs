//! Replays of random parts of the topic, some of them interrupted.

use std::{ops::Range, process::ExitStatus, time::Duration};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use serde_json::Value;
use tokio::time::sleep;

use super::PARTITIONS;
use crate::{binary::Binary, eventually, pipeline::Pipeline, service::Service};

/// Records of a partition that one reads again at the most.
const LONGEST: i64 = 5_000;
/// Milliseconds for which one works before it is killed.
const LIFE: Range<u64> = 0..2_000;
/// How long one may take until it has begun, or ended, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

pub(super) struct Replays<'a> {
    pipeline: &'a Pipeline<'a>,
    database_url: String,
    all: Vec<Replay>,
}

struct Replay {
    name: String,
    /// What it was begun with.
    args: Vec<String>,
    process: Service,
}

impl<'a> Replays<'a> {
    /// None yet. They reach the database by this URL.
    pub(super) fn new(pipeline: &'a Pipeline<'a>, database_url: String) -> Self {
        Self { pipeline, database_url, all: Vec::new() }
    }

    /// One that was interrupted goes on; if there is none, another one begins.
    pub(super) async fn go_on(&mut self, random: Rng) -> Result<()> {
        for number in 0..self.all.len() {
            if self.all[number].process.status()?.is_some_and(|status| !status.success()) {
                return self.resume(number).await;
            }
        }
        self.begin(random).await
    }

    /// Another one begins, and is killed.
    pub(super) async fn kill(&mut self, mut random: Rng) -> Result<()> {
        let life = Duration::from_millis(random.u64(LIFE));
        self.begin(random).await?;
        let Replay { name, process, .. } = self.all.last().context("it has begun")?;
        eventually(PATIENCE, "the replay to have begun", async || {
            let begun = self.is_known(name).await? || process.status()?.is_some();
            ensure!(begun, "it is not listed");
            Ok(())
        })
        .await
        .with_context(|| process.log_tail(20))?;
        // The moment of the fault, not a wait for something.
        sleep(life).await;
        // Unless it has come to its end meanwhile.
        let _ = process.kill().await;
        Ok(())
    }

    /// Waits for the end of each, those included that were interrupted.
    pub(super) async fn finish(&mut self) -> Result<()> {
        for number in 0..self.all.len() {
            if !self.ended(number).await?.success() {
                self.resume(number).await?;
                let status = self.ended(number).await?;
                let Replay { name, process, .. } = &self.all[number];
                ensure!(status.success(), "replay {name}: {status}\n{}", process.log_tail(20));
            }
        }
        Ok(())
    }

    /// The names of their streams.
    pub(super) fn streams(&self) -> Vec<String> {
        self.all.iter().map(|replay| format!("replay-{}", replay.name)).collect()
    }

    /// Some partitions, each from somewhere before its end.
    async fn begin(&mut self, mut random: Rng) -> Result<()> {
        let name = format!("soak-{}", self.all.len() + 1);
        let mut args = vec!["--name".to_owned(), name.clone()];
        let certain = random.i32(0..PARTITIONS);
        for partition in 0..PARTITIONS {
            let (is_read, part) = (random.bool(), random.i64(1..=LONGEST));
            if is_read || partition == certain {
                let kafka = self.pipeline.servers.kafka;
                let (low, high) = kafka.watermarks(&self.pipeline.topic, partition).await?;
                let from = (high - part).max(low);
                args.extend([
                    "--from".to_owned(),
                    format!("{}:{partition}:{from}", self.pipeline.topic),
                ]);
            }
        }
        let process = self.start(&args)?;
        self.all.push(Replay { name, args, process });
        Ok(())
    }

    /// One that was killed before anything was written of it begins anew.
    async fn resume(&mut self, number: usize) -> Result<()> {
        let Replay { name, args, .. } = &self.all[number];
        let process = if self.is_known(name).await? {
            self.start(&["--resume".to_owned(), name.clone()])?
        } else {
            self.start(args)?
        };
        self.all[number].process = process;
        Ok(())
    }

    fn start(&self, args: &[String]) -> Result<Service> {
        let kafka = self.pipeline.servers.kafka;
        let replay = self.pipeline.command("replay").args(args);
        replay
            .env("AUDIT_BROKERS", kafka.bootstrap())
            .env("AUDIT_TOPIC", &self.pipeline.topic)
            .env("AUDIT_DATABASE_URL", &self.database_url)
            .env("AUDIT_STARTUP_TIMEOUT", "2m")
            .env("AUDIT_BATCH_SIZE", "50")
            .quiet()
            .start()
    }

    async fn ended(&self, number: usize) -> Result<ExitStatus> {
        self.all[number].process.wait(PATIENCE).await
    }

    async fn is_known(&self, name: &str) -> Result<bool> {
        let list: Binary = self.pipeline.command("replay").args(["list", "--format", "json"]);
        let list: Value = serde_json::from_str(&list.run().await?.success()?)?;
        let replays = list.as_array().context("a list")?;
        Ok(replays.iter().any(|replay| replay["name"] == name))
    }
}
