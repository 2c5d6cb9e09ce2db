use std::{
    env,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use audit_tests::{eventually, kafka::KafkaCluster, os::descendants, postgres::PostgresServer};

const REPORT: &str = "AUDIT_TESTS_REPORT";

/// Not a test of its own: what the next one kills.
#[tokio::test]
#[ignore = "run by nothing_outlives_a_test_process_that_is_killed"]
async fn victim() -> Result<()> {
    let report = env::var(REPORT)?;
    let postgres = PostgresServer::start_new(&[]).await?;
    let _kafka = KafkaCluster::start(1).await?;
    // Whoever is stopped does not notice that others have gone.
    postgres.pause()?;
    fs::write(format!("{report}.unfinished"), family().join("\n"))?;
    fs::rename(format!("{report}.unfinished"), report)?;
    std::future::pending().await
}

#[tokio::test]
async fn nothing_outlives_a_test_process_that_is_killed() -> Result<()> {
    // The user that runs the server for root must be let in.
    let directory =
        tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir()?;
    let report = directory.path().join("report");
    let mut victim = Command::new(env::current_exe()?)
        .args(["--exact", "harness::left_behind::victim", "--ignored"])
        .env(REPORT, &report)
        // Its temporary directories are to be told from ours.
        .env("TMPDIR", directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let family = eventually(Duration::from_secs(300), "the victim's servers", async || {
        ensure!(victim.try_wait()?.is_none(), "it has ended");
        Ok(fs::read_to_string(&report)?)
    })
    .await;
    victim.kill()?;
    victim.wait()?;

    let family: Vec<String> = family?.lines().map(ToOwned::to_owned).collect();
    ensure!(family.len() > 5, "a broker, a server and its helpers: {family:?}");
    eventually(Duration::from_secs(120), "the end of its processes", async || {
        let left = family.iter().find(|process| is_alive(process));
        ensure!(left.is_none(), "{left:?} is alive");
        Ok(())
    })
    .await?;
    eventually(Duration::from_secs(120), "the end of its directories", async || {
        let left = fs::read_dir(directory.path())?.flatten().find(|entry| entry.path() != report);
        ensure!(left.is_none(), "{left:?} is there");
        Ok(())
    })
    .await
}

/// All that descends from us, as "PID START-TIME", so that a reused pid is not taken for it.
fn family() -> Vec<String> {
    let start = |pid| start_time(pid).map(|start| format!("{pid} {start}"));
    descendants(std::process::id()).into_iter().filter_map(|pid| start(pid).ok()).collect()
}

fn is_alive(process: &str) -> bool {
    let (pid, start) = process.split_once(' ').expect("as written by the victim");
    let pid = pid.parse().expect("as written by the victim");
    start_time(pid).is_ok_and(|now| now == start)
}

/// Field 22 of `/proc/PID/stat`, for a process that has not ended.
fn start_time(pid: u32) -> Result<String> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("no name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    ensure!(fields[0] != "Z", "it has ended");
    Ok(fields[19].to_owned())
}
