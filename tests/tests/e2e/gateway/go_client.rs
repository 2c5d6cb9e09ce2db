//! A real Go program as the client: what its standard library sends is what must be taken.

use std::{io::Write, path::Path, time::Duration};

use anyhow::{Result, ensure};
use audit_tests::{
    gateway::Gateway,
    oracle::Counts,
    os::{Launch, Process},
    pipeline::Pipeline,
    postgres::connect,
};

/// The first build on a machine compiles Go's standard library.
const BUILD: Duration = Duration::from_secs(600);
/// How long its program may take, on a busy machine.
const RUN: Duration = Duration::from_secs(180);

const LEFT_OUT: &[u8] =
    b"LEFT OUT: the test with a real Go client, as Go is not installed (https://go.dev/dl)\n";

#[tokio::test]
async fn a_go_client_is_served_unchanged() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let client = directory.path().join("go-client");
    if !go_is_installed(directory.path()).await? {
        // Past the test runner, which hides what tests that pass have printed.
        std::io::stderr().write_all(LEFT_OUT)?;
        return Ok(());
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("go-client");
    let mut build = Launch::new("go", directory.path(), "build");
    build.args =
        ["-C", &source.display().to_string(), "build", "-o", &client.display().to_string(), "."]
            .map(ToOwned::to_owned)
            .to_vec();
    // Neither another toolchain nor a module is to be fetched: none is needed.
    build.env = vec![("GOTOOLCHAIN".into(), "local".into()), ("GOFLAGS".into(), "-mod=mod".into())];
    let build = Process::spawn(build)?;
    ensure!(build.wait(BUILD).await?.success(), "{}", build.log_tail(20));

    let pipeline = Pipeline::shared("go_client", 2).await?;
    let consumer = pipeline.start_consumer().await?;
    let gateway = Gateway::start(pipeline.servers.kafka.bootstrap(), &pipeline.topic).await?;
    let mut launch = Launch::new(&client, directory.path(), "client");
    launch.args = vec![format!("http://{}", gateway.address)];
    let client = Process::spawn(launch)?;
    ensure!(client.wait(RUN).await?.success(), "{}", client.log_tail(20));

    let summary = pipeline.verify().await?;
    assert_eq!(summary.ledger, Counts { stored: 2, duplicate: 1, ..Counts::default() });
    let rows = "
        SELECT concat_ws('|', remediation_id, workflow_name, total_steps, total_duration, outcome,
            effectiveness_score, jsonb_array_length(step_executions), step_executions -> 1 ->> 'error_message',
            adaptive_adjustments -> 0 ->> 'timestamp', completed_at AT TIME ZONE 'UTC', status, error_message)
        FROM workflow_execution_audit ORDER BY workflow_name";
    let rows = connect(&pipeline.database_url).await?.query(rows, &[]).await?;
    let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(
        rows,
        [
            "rem <a> & b\u{2028}|full|2|00:01:30.000001|failed|0.30000000000000004|2|quota|\
             0001-01-01T00:00:00Z|2025-03-01 10:00:00.123456|failed|step 2 failed",
            "|sparse|3|00:00:00|success|0.95|",
        ]
    );
    pipeline.stop(&consumer).await
}

async fn go_is_installed(directory: &Path) -> Result<bool> {
    // A shell starts it, so a program that is not there is an exit code like any other.
    let mut version = Launch::new("go", directory, "version");
    version.args = vec!["version".to_owned()];
    Ok(Process::spawn(version)?.wait(RUN).await?.success())
}
