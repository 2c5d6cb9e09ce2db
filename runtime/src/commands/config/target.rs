//! The command that is looked at, as it would be started.

use std::ffi::OsString;

use anyhow::Result;
use clap::Command;

use crate::commands::Program;
use crate::config::{self, Effective};
use crate::exit::UsageError;

#[derive(Debug, clap::Args)]
pub(crate) struct Target {
    /// Command it is about, with its flags, as it would be started
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl Target {
    pub(super) fn is_given(&self) -> bool {
        self.words.first().is_some_and(|word| !is_flag(word))
    }

    /// The command; the whole binary if none is named.
    pub(super) fn command<'a>(&'a self, binary: &'a Command) -> Result<&'a Command, UsageError> {
        if self.is_given() { Ok(self.find(binary)?.command) } else { Ok(binary) }
    }

    /// What the command gets, and its path.
    pub(super) fn effective(&self, program: &Program<'_>) -> Result<(Vec<String>, Effective)> {
        let Found { path, flags, .. } = self.find(program.command)?;
        let flags = [program.globals.as_slice(), flags].concat();
        let effective = config::effective(program.command, &path, &flags, program.env)?;
        Ok((path, effective))
    }

    fn find<'a>(&'a self, binary: &'a Command) -> Result<Found<'a>, UsageError> {
        let mut found = Found { path: Vec::new(), command: binary, flags: &self.words };
        while found.command.has_subcommands() {
            let above = found.command;
            found.command = match found.flags.split_first() {
                Some((word, rest)) if !is_flag(word) => {
                    found.flags = rest;
                    let named = word.to_str().and_then(|name| above.find_subcommand(name));
                    named.ok_or_else(|| unknown(word, above))?
                }
                _ if !found.path.is_empty() && is_complete(above) => break,
                _ if found.path.is_empty() => {
                    above.get_subcommands().next().ok_or_else(|| incomplete(above))?
                }
                _ => return Err(incomplete(above)),
            };
            found.path.push(found.command.get_name().to_owned());
        }
        Ok(found)
    }
}

/// The words of a command line: those that name a command, and what it is given.
struct Found<'a> {
    path: Vec<String>,
    command: &'a Command,
    flags: &'a [OsString],
}

/// The paths of all commands that can be started.
pub(super) fn leaves(command: &Command) -> Vec<Vec<String>> {
    let mut leaves = Vec::new();
    for subcommand in command.get_subcommands() {
        let below = leaves_or_self(subcommand);
        leaves.extend(below.into_iter().map(|path| {
            std::iter::once(subcommand.get_name().to_owned()).chain(path).collect::<Vec<_>>()
        }));
    }
    leaves
}

fn leaves_or_self(command: &Command) -> Vec<Vec<String>> {
    let itself = is_complete(command).then(Vec::new);
    itself.into_iter().chain(leaves(command)).collect()
}

/// Whether the command can be started without one of those below it.
pub(super) fn is_complete(command: &Command) -> bool {
    !(command.has_subcommands() && command.is_subcommand_required_set())
}

fn is_flag(word: &OsString) -> bool {
    word.to_str().is_some_and(|word| word.starts_with('-'))
}

fn unknown(word: &OsString, command: &Command) -> UsageError {
    UsageError(format!(
        "{} has no command `{}`; it has {}",
        command.get_name(),
        word.to_string_lossy(),
        names(command)
    ))
}

fn incomplete(command: &Command) -> UsageError {
    UsageError(format!("name a command of `{}`: {}", command.get_name(), names(command)))
}

fn names(command: &Command) -> String {
    command.get_subcommands().map(Command::get_name).collect::<Vec<_>>().join(", ")
}
