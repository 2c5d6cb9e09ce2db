//! What the database says of a stream while it is being written.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::{eventually, pipeline::Pipeline, postgres::connect, service::Service};

/// How long a rebalance may take, with members that have to be missed first.
const REBALANCE: Duration = Duration::from_secs(180);

/// Where one partition stands.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The partition.
    pub partition: i32,
    /// Takeovers so far.
    pub epoch: i64,
    /// The first offset not accounted for; `None` before the first takeover.
    pub next_offset: Option<i64>,
    /// Who took it over last, as `host/process`.
    pub owner: Option<String>,
    /// Why it is halted.
    pub halted: Option<String>,
}

impl Pipeline<'_> {
    /// Where each partition stands, in their order.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn streams(&self) -> Result<Vec<Stream>> {
        let query = "
            SELECT partition, epoch, next_offset, owner, halted FROM audit_stream
            WHERE stream = $1 AND topic = $2 ORDER BY partition";
        let client = connect(&self.database_url).await?;
        let rows = client.query(query, &[&self.group, &self.topic]).await?;
        rows.iter()
            .map(|row| {
                Ok(Stream {
                    partition: row.try_get(0)?,
                    epoch: row.try_get(1)?,
                    next_offset: row.try_get(2)?,
                    owner: row.try_get(3)?,
                    halted: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// Where one partition stands.
    ///
    /// # Errors
    /// Nobody has taken it over yet.
    pub async fn stream(&self, partition: i32) -> Result<Stream> {
        let found = self.streams().await?.into_iter().find(|stream| stream.partition == partition);
        found.with_context(|| format!("partition {partition} is not known yet"))
    }

    /// How many offsets are accounted for, of a topic that was empty when it was first read.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn accounted_for(&self) -> Result<i64> {
        Ok(self.streams().await?.iter().filter_map(|stream| stream.next_offset).sum())
    }

    /// Waits until so many offsets are accounted for.
    ///
    /// # Errors
    /// It does not come to that in three minutes.
    pub async fn reaches(&self, offsets: i64) -> Result<()> {
        eventually(REBALANCE, &format!("{offsets} offsets to be accounted for"), async || {
            let now = self.accounted_for().await?;
            ensure!(now >= offsets, "{now}");
            Ok(())
        })
        .await
    }

    /// Waits until these consumers, and nobody else, own all partitions of the topic in equal parts.
    ///
    /// # Errors
    /// It does not come to that in three minutes.
    pub async fn owned_by(&self, consumers: &[&Service]) -> Result<()> {
        let partitions = usize::try_from(self.servers.kafka.partitions(&self.topic).await?)?;
        let fair = partitions / consumers.len()..=partitions.div_ceil(consumers.len());
        eventually(REBALANCE, "all partitions to be owned in equal parts", async || {
            let streams = self.streams().await?;
            let mut owned = 0;
            for consumer in consumers {
                let own = format!("/{}", consumer.pid());
                let is_own = |owner: &Option<String>| {
                    owner.as_ref().is_some_and(|owner| owner.ends_with(&own))
                };
                let count = streams.iter().filter(|stream| is_own(&stream.owner)).count();
                ensure!(fair.contains(&count), "{count} of {partitions} are owned by {own}");
                owned += count;
            }
            ensure!(owned == partitions, "{owned} of {partitions} are owned");
            Ok(())
        })
        .await
    }
}
