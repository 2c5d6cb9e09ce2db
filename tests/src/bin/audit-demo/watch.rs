//! Progress, and the blow on the way: one consumer is killed, and the other has to take over.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use audit_schema::topic::TOPIC;
use audit_tests::screen::Screen;
use tokio_postgres::Client;

use crate::{
    publish::Counter,
    settings::Settings,
    stage::{PARTITIONS, Stage},
    table::grouped,
};

const INTERVAL: Duration = Duration::from_millis(200);
/// Without any progress for so long, something is broken.
const PATIENCE: Duration = Duration::from_secs(45);
const TAKEOVER: Duration = Duration::from_secs(30);

/// How it went.
pub(crate) struct Run {
    /// From the first event to the last one that was accounted for.
    pub(crate) took: Duration,
    /// From the kill until the other consumer had all partitions.
    pub(crate) takeover: Duration,
}

pub(crate) async fn until_accounted_for(
    stage: &Stage,
    settings: &Settings,
    counter: &Counter,
    screen: &Screen,
) -> Result<Run> {
    let database = stage.database().await?;
    let started = Instant::now();
    let kill_at = u64::try_from(settings.events * 2 / 5)?;
    let mut killed: Option<Instant> = None;
    let mut takeover = None;
    let mut last = (0, started);
    loop {
        let accounted = accounted(&database).await?;
        if accounted > last.0 {
            last = (accounted, Instant::now());
        } else if last.1.elapsed() > PATIENCE {
            bail!("no progress for {PATIENCE:?}; {}", stage.logs());
        }
        if killed.is_none() && accounted >= kill_at {
            stage.consumers[0].kill().await?;
            killed = Some(Instant::now());
            let process = stage.consumers[0].pid();
            screen.step(format!("consumer 1 (process {process}) was killed with SIGKILL"))?;
        }
        if let (Some(killed), None) = (killed, takeover) {
            let owned = stage.owned_by(1, &database).await?;
            if owned == i64::from(PARTITIONS) {
                takeover = Some(killed.elapsed());
                screen.step(format!(
                    "consumer 2 has taken over, and writes all {owned} partitions"
                ))?;
            } else if killed.elapsed() > TAKEOVER {
                bail!(
                    "consumer 2 owns {owned} of {PARTITIONS} partitions {TAKEOVER:?} after the kill; {}",
                    stage.logs()
                );
            }
        }
        screen.progress(&format!(
            "{} acknowledged by Kafka, {} accounted for in PostgreSQL",
            grouped(counter.acknowledged()),
            grouped(accounted),
        ))?;
        if let Some(takeover) = takeover
            && counter.is_finished()
            && accounted >= end_of_topic(stage).await?
        {
            return Ok(Run { took: last.1 - started, takeover });
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Offsets that the database has passed.
async fn accounted(database: &Client) -> Result<u64> {
    let sql = "SELECT coalesce(sum(next_offset - start_offset), 0)::bigint FROM audit_stream";
    let accounted: i64 = database.query_one(sql, &[]).await?.try_get(0)?;
    u64::try_from(accounted).context("a stream is before its start")
}

async fn end_of_topic(stage: &Stage) -> Result<u64> {
    let mut all = 0;
    for partition in 0..PARTITIONS {
        let (start, end) = stage.kafka.watermarks(TOPIC, partition.into()).await?;
        all += u64::try_from(end - start)?;
    }
    Ok(all)
}
