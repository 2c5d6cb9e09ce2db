//! Schemathesis, which makes requests from an OpenAPI document and holds the answers against it, and the
//! validator of such documents: Python programs that `tests/setup.sh` fetched.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    cache,
    os::{Launch, Process},
};

/// How long they may take, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(900);

/// Its configuration and hooks.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemathesis");

/// Holds the API at this URL against the document it serves: so many requests for each operation, made from the seed.
///
/// # Errors
/// It is not installed, or finds a difference; the message is its report.
pub async fn fuzz(document_url: &str, requests: u32, seed: u64, directory: &Path) -> Result<()> {
    let configuration = format!("{FILES}/schemathesis.toml");
    let (requests, seed) = (requests.to_string(), seed.to_string());
    let arguments = ["--config-file", &configuration, "run", document_url];
    let amount = ["--max-examples", &requests, "--seed", &seed, "--generation-database", "none"];
    // They are about the time it takes to make data, which is a matter of the machine.
    let patience = ["--suppress-health-check", "all"];
    run("schemathesis.cli", &[&arguments[..], &amount, &patience].concat(), directory).await
}

/// Checks that the file is an OpenAPI document.
///
/// # Errors
/// The validator is not installed, or says what is wrong.
pub async fn validate(document: &Path) -> Result<()> {
    let directory = document.parent().context("a file is in a directory")?;
    run("openapi_spec_validator", &[&document.display().to_string()], directory).await
}

async fn run(module: &str, arguments: &[&str], directory: &Path) -> Result<()> {
    let mut launch = Launch::new(python()?, directory, module);
    launch.args = ["-m", module].iter().chain(arguments).map(ToString::to_string).collect();
    launch.env = vec![
        ("SCHEMATHESIS_HOOKS".into(), format!("{FILES}/hooks.py")),
        // Nothing is to be left beside the hooks.
        ("PYTHONDONTWRITEBYTECODE".into(), "1".into()),
    ];
    let process = Process::spawn(launch)?;
    let status = process.wait(DEADLINE).await?;
    ensure!(status.success(), "{}", process.log_tail(150));
    Ok(())
}

/// The Python of the environment that `tests/setup.sh` made: `SCHEMATHESIS_DIR`, else in the user's cache.
fn python() -> Result<PathBuf> {
    let directory = cache::directory("SCHEMATHESIS_DIR", &format!("schemathesis-{}", version()?))?;
    let python = directory.join("bin/python");
    ensure!(python.is_file(), "Schemathesis is not in {}: run `make setup`", directory.display());
    Ok(python)
}

/// The version stands once, in the list that pip installs.
fn version() -> Result<&'static str> {
    const REQUIREMENTS: &str = include_str!("../schemathesis/requirements.txt");
    let version = REQUIREMENTS.lines().find_map(|line| line.strip_prefix("schemathesis=="));
    version.context("no version in requirements.txt")
}
