//! More than fits into memory.

use anyhow::{Result, ensure};
use audit_tests::{
    generator::{Event, Generator},
    pipeline::Pipeline,
};
use chrono::Utc;

use super::{PARTITIONS, Verdict, command};

const SEED: u64 = 0x0A0D_1171;
/// Each is a row and a record: more than a MiB has room for, twice.
const EVENTS: usize = 7_000;

#[tokio::test]
async fn what_does_not_fit_goes_to_files_that_are_gone_afterwards() -> Result<()> {
    let pipeline = Pipeline::shared("large", PARTITIONS).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let records = generator.events(EVENTS).iter().map(Event::record).collect();
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await?;

    let directory = tempfile::tempdir()?;
    let place = directory.path().display().to_string();
    let verify =
        || command(&pipeline).args(["--against-topic", "--memory", "1", "--temp-dir", &place]);
    let output = verify().run().await?;
    ensure!(output.stderr.contains("sorting in files at"), "{}", output.stderr);
    Verdict::of(output)?.is_clean()?;
    ensure!(directory.path().read_dir()?.next().is_none(), "files are left");

    // The one that is missing is found among all of them.
    let client = pipeline.servers.postgres.connect(&pipeline.database).await?;
    let fault = "DELETE FROM workflow_execution_audit WHERE id = (SELECT id FROM workflow_execution_audit \
                 WHERE audit_id_time(id) IS NOT NULL OFFSET 3000 LIMIT 1) RETURNING id::text";
    let id: String = client.query_one(fault, &[]).await?.get(0);
    let verdict = Verdict::of(verify().run().await?)?;
    verdict.has(&["topic", &id])?;
    ensure!(verdict.report["problems"] == 2, "{verdict:#?}");

    directory.close()?;
    let output = verify().run().await?;
    ensure!(output.code == Some(1) && output.stderr.contains("--temp-dir"), "{output:?}");
    Ok(())
}
