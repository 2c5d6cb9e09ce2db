//! Everything below the command line, as default values of the command's arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Arg, Command};

use super::error::ConfigError;
use super::file::{self, File};
use super::{Environment, position};
use crate::kafka::{self, PROPERTY_FLAG};

/// Where a value came from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Environment(String),
    NamedFile { variable: String, path: PathBuf },
    ConfigFile { key: String, path: PathBuf },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Environment(variable) => write!(f, "{variable}"),
            Source::NamedFile { variable, path } => {
                write!(f, "{}, named by {variable}", path.display())
            }
            Source::ConfigFile { key, path } => write!(f, "key `{key}` in {}", path.display()),
        }
    }
}

/// What one place says of an option.
pub(super) struct Given {
    pub(super) source: Source,
    pub(super) values: Vec<OsString>,
}

/// What the layers below the command line say, by long name: an option of several subcommands is one option.
pub(super) struct Layers<'a> {
    env: &'a Environment,
    file: Option<File>,
    /// Lowest place first; more than one place only for Kafka properties, which are merged.
    given: BTreeMap<String, Vec<Given>>,
    secrets: BTreeSet<String>,
    refused: BTreeSet<String>,
}

impl<'a> Layers<'a> {
    /// Looks every option of the command and its subcommands up. What cannot be read is a problem, and left out.
    pub(super) fn collect(
        command: &Command,
        env: &'a Environment,
        file: Option<PathBuf>,
    ) -> (Self, Vec<ConfigError>) {
        let mut problems = Vec::new();
        let file = file.map(|path| file::read(path, command, &mut problems));
        let (given, secrets, refused) = Default::default();
        let mut layers = Self { env, file, given, secrets, refused };
        layers.add(command, &mut problems);
        (layers, problems)
    }

    fn add(&mut self, command: &Command, problems: &mut Vec<ConfigError>) {
        for arg in command.get_arguments() {
            let Some(long) = arg.get_long() else { continue };
            if arg.is_hide_env_values_set() {
                self.secrets.insert(long.to_owned());
            }
            let given = self.look_up(arg, long, problems);
            if !given.is_empty() {
                self.given.insert(long.to_owned(), given);
            }
        }
        for subcommand in command.get_subcommands() {
            self.add(subcommand, problems);
        }
    }

    /// What is said of the option if no flag gives it; nothing: its own default holds.
    pub(super) fn given(&self, long: &str) -> &[Given] {
        self.given.get(long).map_or(&[], Vec::as_slice)
    }

    /// The highest place that says something of the option.
    pub(super) fn source(&self, long: &str) -> Option<&Source> {
        self.given(long).last().map(|given| &given.source)
    }

    pub(super) fn is_secret(&self, long: &str) -> bool {
        self.secrets.contains(long)
    }

    /// Keeps the option's values from clap from now on; false if there were none to keep.
    pub(super) fn refuse(&mut self, long: &str) -> bool {
        self.given.contains_key(long) && self.refused.insert(long.to_owned())
    }

    pub(super) fn is_refused(&self, long: &str) -> bool {
        self.refused.contains(long)
    }

    /// The values clap gets for the option.
    pub(super) fn accepted(&self, long: &str) -> impl Iterator<Item = &OsString> {
        let given = if self.is_refused(long) { &[] } else { self.given(long) };
        given.iter().flat_map(|given| &given.values)
    }

    /// Gives every argument its value as default, or, where flags add to it, as flags in front of them.
    pub(super) fn apply(&self, command: Command, args: &mut Vec<OsString>) -> Command {
        if let Some(at) = position(args, PROPERTY_FLAG) {
            let flags = self.accepted(PROPERTY_FLAG).map(|value| {
                let mut flag = OsString::from(format!("--{PROPERTY_FLAG}="));
                flag.push(value);
                flag
            });
            args.splice(at..at, flags.collect::<Vec<_>>());
        }
        self.set_defaults(command)
    }

    fn set_defaults(&self, command: Command) -> Command {
        let command = command.mut_args(|arg| match arg.get_long() {
            // clap counts a default as "not given", so an argument that has one cannot be required.
            Some(long) if self.given.contains_key(long) => {
                let values: Vec<_> = self.accepted(long).cloned().collect();
                let secret = arg.is_hide_env_values_set();
                let arg = arg.required(false).hide_default_value(secret).env(Resettable::Reset);
                arg.default_values(values)
            }
            _ => arg,
        });
        command.mut_subcommands(|subcommand| self.set_defaults(subcommand))
    }

    fn look_up(&self, arg: &Arg, long: &str, problems: &mut Vec<ConfigError>) -> Vec<Given> {
        let mut layers = Vec::new();
        if let Some(file) = &self.file
            && let Some(values) = file.values.get(long)
        {
            let source = Source::ConfigFile { key: long.to_owned(), path: file.path.clone() };
            layers.push(Given { source, values: values.clone() });
        }
        let is_map = long == PROPERTY_FLAG;
        let split = |text: OsString| match text.to_str() {
            Some(list) if is_map => {
                kafka::split_list(list).into_iter().map(OsString::from).collect()
            }
            _ => vec![text],
        };
        if let Some(variable) = arg.get_env().and_then(|name| name.to_str()) {
            if arg.is_hide_env_values_set() {
                match self.named_file(variable) {
                    Ok(named) => layers
                        .extend(named.map(|(source, text)| Given { source, values: split(text) })),
                    Err(problem) => problems.push(problem),
                }
            }
            if let Some(text) = self.env.get(variable) {
                layers.push(Given {
                    source: Source::Environment(variable.to_owned()),
                    values: split(text.clone()),
                });
            }
        }
        // The highest wins, except that properties are merged: there the last of a name does.
        if is_map { layers } else { layers.pop().into_iter().collect() }
    }

    fn named_file(&self, variable: &str) -> Result<Option<(Source, OsString)>, ConfigError> {
        let variable = format!("{variable}_FILE");
        let Some(path) = self.env.get(&variable).filter(|path| !path.is_empty()).map(PathBuf::from)
        else {
            return Ok(None);
        };
        match std::fs::read_to_string(&path) {
            // Editors and `echo` end a file with a newline that is no part of a password.
            Ok(text) => Ok(Some((
                Source::NamedFile { variable, path },
                text.trim_end_matches(['\r', '\n']).into(),
            ))),
            Err(source) => Err(ConfigError::UnreadableSecret { variable, path, source }),
        }
    }
}
