//! `audit-producer publish`: from a file of lines to rows.

mod faults;
mod input;
mod lines;

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use audit_tests::binary::Binary;
use serde_json::Value;
use tempfile::TempDir;

/// A directory with a file of lines in it.
struct Lines {
    directory: TempDir,
    path: PathBuf,
}

impl Lines {
    /// Writes the lines, each with its own line end.
    fn write(lines: impl IntoIterator<Item = Vec<u8>>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("events.ndjson");
        let mut file = BufWriter::new(File::create(&path)?);
        for line in lines {
            file.write_all(&line)?;
        }
        file.flush()?;
        Ok(Self { directory, path })
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// `audit-producer publish FILE` that says in JSON how it went.
fn publish(file: &Path) -> Binary {
    Binary::new("audit-producer").args(["publish", &file.display().to_string(), "--format", "json"])
}

/// What the command printed at its end.
fn summary(stdout: &str) -> Result<Value> {
    let mut rows: Vec<Value> = serde_json::from_str(stdout).context("read the summary")?;
    rows.pop().context("no summary")
}

/// The line with which its last message says that one can resume.
fn resume_line(stderr: &str) -> Result<String> {
    let last = stderr.lines().last().context("no message")?;
    let (_, line) = last.split_once("resume with --from-line ").context(last.to_owned())?;
    Ok(line.to_owned())
}
