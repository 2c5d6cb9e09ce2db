//! Lines that were not published, told so that they can be mended and imported again.

use std::fs::{File, OpenOptions};
use std::io::{LineWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use audit_runtime::exit::UsageError;
use serde::Serialize;

/// Where refused lines are told: in the log, or one JSON object each at the end of a file.
pub(super) enum Refused {
    Log,
    File { path: PathBuf, file: LineWriter<File> },
}

/// One refused line. In a file, `jq -r .line` brings the lines back.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    /// Counted from 1.
    pub(super) number: u64,
    /// Stable, such as `missing_field`.
    pub(super) code: &'a str,
    /// What is wrong, with the path of each field.
    pub(super) message: String,
    /// The line itself, with the replacement character where it is not UTF-8; `None` if it was too long to be held.
    pub(super) line: Option<String>,
}

impl Refused {
    /// # Errors
    /// [`UsageError`] if the file cannot be written.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, UsageError> {
        let Some(path) = path else { return Ok(Self::Log) };
        // What an import that was stopped has written stays: the next one goes on behind it.
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| {
            UsageError(format!("cannot write --errors {}: {error}", path.display()))
        })?;
        Ok(Self::File { path: path.to_owned(), file: LineWriter::new(file) })
    }

    /// # Errors
    /// The file cannot be written.
    pub(super) fn tell(&mut self, report: &Report<'_>) -> anyhow::Result<()> {
        match self {
            Self::Log => {
                let Report { number, code, message, .. } = report;
                tracing::error!(code, "line {number}: {message}");
                Ok(())
            }
            Self::File { path, file } => {
                let json = serde_json::to_string(report)?;
                writeln!(file, "{json}")
                    .with_context(|| format!("cannot write --errors {}", path.display()))
            }
        }
    }
}
