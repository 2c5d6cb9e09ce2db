//! One look after the other.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use audit_tests::{
    eventually,
    generator::Generator,
    load::spread,
    pipeline::{Pipeline, Servers},
    postgres::PostgresServer,
    service::Service,
    shared,
};
use chrono::Utc;
use serde_json::Value;

use super::{SEED, partition, status};
use crate::database::PATIENCE;

/// What must be enough to end in, a question to a broker that is away included.
const END: Duration = Duration::from_secs(20);

fn lines(watch: &Service) -> Result<Vec<Value>> {
    let output = watch.stdout()?;
    // The last line may still be on its way.
    let whole = output.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).context(line.to_owned())).collect()
}

#[tokio::test]
async fn it_goes_on_through_an_outage_and_ends_when_told_to() -> Result<()> {
    let postgres = PostgresServer::start_new(&[]).await?;
    let servers = Servers { kafka: shared::kafka().await?, postgres: &postgres };
    let pipeline = Pipeline::on(servers, "status_watch", 2).await?;
    let mut generator = Generator::new(SEED + 2, Utc::now());
    let publish = async |generator: &mut Generator| {
        servers.kafka.publish(&pipeline.topic, spread(generator, 30, 2)).await.map(drop)
    };
    publish(&mut generator).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;

    let watch = status(&pipeline, &pipeline.database_url);
    let watch = watch.args(["--watch", "200ms", "--format", "json"]).start()?;
    let pages = status(&pipeline, &pipeline.database_url).args(["--watch", "1"]).start()?;
    let is_idle = |look: &Value| look["streams"][0]["records_per_second"] == 0.0;
    eventually(PATIENCE, "a look at a stream that does not move", async || {
        let lines = lines(&watch)?;
        ensure!(lines.iter().skip(1).any(is_idle), "{lines:#?}");
        Ok(())
    })
    .await?;
    publish(&mut generator).await?;
    pipeline.verify().await?;
    eventually(PATIENCE, "looks between which all records came", async || {
        let lines = lines(&watch)?;
        // What rates say must add up to what has moved.
        let moved: f64 = lines
            .iter()
            .skip(1)
            .filter_map(|look| {
                let rate = partition(look, 0)["records_per_second"].as_f64()?;
                Some(rate * look["rate_seconds"].as_f64()?)
            })
            .sum();
        ensure!((moved - 30.0).abs() < 1e-6, "{moved} of 30 in {lines:#?}");
        Ok(())
    })
    .await?;

    postgres.stop().await?;
    eventually(PATIENCE, "a line about the outage", async || {
        let lines = lines(&watch)?;
        let last = lines.last().context("no line")?;
        ensure!(last["error"].as_str().is_some_and(|error| error.contains("database")), "{last}");
        ensure!(pages.stdout()?.contains("Z, cannot "), "{}", pages.stdout()?);
        Ok(())
    })
    .await?;
    postgres.start().await?;
    eventually(PATIENCE, "looks after the outage", async || {
        let lines = lines(&watch)?;
        let last = lines.last().context("no line")?;
        ensure!(partition(last, 0)["next_offset"] == 60, "{last}");
        Ok(())
    })
    .await?;
    for watch in [&watch, &pages] {
        let status = watch.terminate(END).await?;
        ensure!(status.success(), "it ended with {status}");
    }
    let page = pages.stdout()?;
    ensure!(!page.contains('\u{1b}'), "a file is not drawn on: {page}");
    ensure!(page.matches("rates over").count() > 1, "{page}");
    pipeline.stop(&consumer).await
}
