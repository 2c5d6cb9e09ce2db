//! `config`: what the configuration is, whether it is right, and what it could be.

mod check;
mod example;
mod explained;
mod reference;
mod show;
mod target;

use super::Program;
use crate::exit::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show what a command would be told: each option, its value and where that comes from
    ///
    /// Without a command it is about the first that --help lists. Secrets are hidden. What is wrong is told on standard
    /// error (exit code 3) and the rest is shown all the same; `config check` looks for more.
    Show(show::Options),
    /// Check the configuration without using it; exit code 3 if something is wrong
    ///
    /// Prints `ok`, or a line for each thing that is wrong. Without a command it is about all: whether each could use the
    /// values it would get, and whether the first that --help lists could be started.
    Check(check::Options),
    /// Print a configuration file that has every key, with its default, commented out
    ///
    /// Without a command it has the keys of all.
    Example(example::Options),
    /// Print every option of every command, as Markdown
    Reference,
}

impl Command {
    pub(super) fn run(self, program: &Program<'_>) -> anyhow::Result<ExitCode> {
        match self {
            Self::Show(options) => options.run(program),
            Self::Check(options) => options.run(program),
            Self::Example(options) => options.run(program),
            Self::Reference => reference::run(program),
        }
    }
}
