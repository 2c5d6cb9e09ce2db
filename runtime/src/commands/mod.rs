//! The commands every binary has: about its configuration and itself. They read no configuration of their own, so that
//! they work whatever state it is in.

mod completions;
mod config;
mod man;

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, FromArgMatches, Subcommand};

use crate::config::{ConfigError, Environment};
use crate::exit::{self, ExitCode};

#[derive(Debug, Subcommand)]
pub(crate) enum Common {
    /// Show, check and explain the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Print a completion script for a shell
    Completions(completions::Options),
    /// Print the manual page, or write those of all commands to a directory
    Man(man::Options),
}

/// What the commands are about: a binary and the flags that any command of it takes.
pub(crate) struct Program<'a> {
    /// Without the commands of this module.
    pub(crate) command: &'a Command,
    /// Flags that are every command's, given in front of the words of a command that is looked at.
    pub(crate) globals: Vec<OsString>,
    pub(crate) env: &'a Environment,
    /// What the binary has to say against options that were understood.
    pub(crate) check: &'a dyn Fn(&ArgMatches) -> Vec<anyhow::Error>,
}

/// Adds the commands to a binary's own.
pub(crate) fn augment(command: Command) -> Command {
    Common::augment_subcommands(command)
}

impl Common {
    /// The command the arguments ask for, if it is one of these, and the flags among them that every command takes.
    pub(crate) fn asked_for(command: Command, args: &[OsString]) -> Option<(Self, Vec<OsString>)> {
        let command = without_env(augment(command));
        let matches = command.clone().try_get_matches_from(args).ok()?;
        let common = Self::from_arg_matches(&matches).ok()?;
        Some((common, globals(&command, &matches)))
    }

    /// Runs the command to its end; what went wrong is one line on stderr.
    pub(crate) fn run(self, program: &Program<'_>) -> ExitCode {
        let result = match self {
            Self::Config(command) => command.run(program),
            Self::Completions(options) => options.run(program),
            Self::Man(options) => options.run(program),
        };
        match result {
            Ok(code) => code,
            Err(error) => match error.downcast::<ConfigError>() {
                Ok(ConfigError::Shown(help)) => help.exit(),
                Ok(error) => exit::report(&exit::UsageError(error.to_string()).into()),
                Err(error) => exit::report(&error),
            },
        }
    }
}

impl Program<'_> {
    /// The whole command line of the binary.
    fn whole(&self) -> Command {
        augment(self.command.clone())
    }
}

fn without_env(command: Command) -> Command {
    command.mut_args(|arg| arg.env(Resettable::Reset)).mut_subcommands(without_env)
}

fn globals(command: &Command, matches: &ArgMatches) -> Vec<OsString> {
    // clap hands flags that every command takes down to the last of the subcommands.
    let mut last = matches;
    while let Some((_, matches)) = last.subcommand() {
        last = matches;
    }
    let given = command.get_arguments().filter(|arg| {
        arg.is_global_set()
            && last.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
    });
    given
        .filter_map(|arg| Some((arg.get_long()?, last.get_raw(arg.get_id().as_str())?)))
        .flat_map(|(long, values)| {
            values.map(move |value| {
                let mut flag = OsString::from(format!("--{long}="));
                flag.push(value);
                flag
            })
        })
        .collect()
}

/// Writes a result to stdout. Whoever reads may have seen enough (`| head`).
fn print(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
