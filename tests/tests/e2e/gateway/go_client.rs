//! A real Go program as the client: what its standard library sends is what must be taken.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
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
    b"LEFT OUT: the tests with real Go clients, as Go is not installed (https://go.dev/dl)\n";

/// The program of the Go sources in a folder; none where Go is not installed.
async fn build(source: &Path, directory: &Path) -> Result<Option<PathBuf>> {
    if !go_is_installed(directory).await? {
        // Past the test runner, which hides what tests that pass have printed.
        std::io::stderr().write_all(LEFT_OUT)?;
        return Ok(None);
    }
    let program = directory.join("go-client");
    let at = source.display().to_string();
    go(directory, &["-C", &at, "vet", "."]).await?;
    go(directory, &["-C", &at, "build", "-o", &program.display().to_string(), "."]).await?;
    Ok(Some(program))
}

async fn go(directory: &Path, args: &[&str]) -> Result<()> {
    let mut go = Launch::new("go", directory, "go");
    go.args = args.iter().map(|&arg| arg.to_owned()).collect();
    // Neither another toolchain nor a module is to be fetched: none is needed.
    go.env = vec![("GOTOOLCHAIN".into(), "local".into()), ("GOFLAGS".into(), "-mod=mod".into())];
    let go = Process::spawn(go)?;
    ensure!(go.wait(BUILD).await?.success(), "{}", go.log_tail(20));
    Ok(())
}

async fn run(program: &Path, directory: &Path, url: String) -> Result<String> {
    let mut launch = Launch::new(program, directory, "client");
    launch.args = vec![url];
    let client = Process::spawn(launch)?;
    ensure!(client.wait(RUN).await?.success(), "{}", client.log_tail(20));
    Ok(client.log_tail(20))
}

#[tokio::test]
async fn a_go_client_is_served_unchanged() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("go-client");
    let Some(client) = build(&source, directory.path()).await? else { return Ok(()) };
    let pipeline = Pipeline::shared("go_client", 2).await?;
    let consumer = pipeline.start_consumer().await?;
    let gateway = Gateway::start(pipeline.servers.kafka.bootstrap(), &pipeline.topic).await?;
    run(&client, directory.path(), format!("http://{}", gateway.address)).await?;

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

/// What docs/go-controllers.md shows to authors of controllers: it must build, and do what the page says.
#[tokio::test]
async fn the_example_for_go_controllers_publishes() -> Result<()> {
    const PAGE: &str = include_str!("../../../../docs/go-controllers.md");
    let directory = tempfile::tempdir()?;
    let (_, example) = PAGE.split_once("```go\n").context("no example")?;
    let (example, _) = example.split_once("```").context("it does not end")?;
    let source = directory.path().join("source");
    fs::create_dir(&source)?;
    fs::write(source.join("main.go"), example)?;
    fs::write(source.join("go.mod"), "module example.org/audit\n\ngo 1.22\n")?;
    let Some(example) = build(&source, directory.path()).await? else { return Ok(()) };

    let pipeline = Pipeline::shared("go_example", 2).await?;
    let gateway = Gateway::start(pipeline.servers.kafka.bootstrap(), &pipeline.topic).await?;
    let url = format!("http://{}", gateway.address);
    for _ in 0..2 {
        let said = run(&example, directory.path(), url.clone()).await?;
        ensure!(said.contains(&format!(" is at {}:", pipeline.topic)), "{said}");
    }
    let consumer = pipeline.start_consumer().await?;
    let summary = pipeline.verify().await?;
    assert_eq!(summary.ledger, Counts { stored: 1, duplicate: 1, ..Counts::default() });
    pipeline.stop(&consumer).await
}

async fn go_is_installed(directory: &Path) -> Result<bool> {
    // A shell starts it, so a program that is not there is an exit code like any other.
    let mut version = Launch::new("go", directory, "version");
    version.args = vec!["version".to_owned()];
    Ok(Process::spawn(version)?.wait(RUN).await?.success())
}
