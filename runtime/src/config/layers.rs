//! Everything below the command line, as default values of the command's arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Arg, Command};

use super::error::ConfigError;
use super::file::File;
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

struct Value {
    source: Source,
    values: Vec<OsString>,
}

/// What the layers below the command line say, by long name: an option of several subcommands is one option.
pub(super) struct Layers<'a> {
    env: Environment<'a>,
    file: Option<File>,
    values: BTreeMap<String, Value>,
    secrets: BTreeSet<String>,
}

impl<'a> Layers<'a> {
    /// Looks every option of the command and its subcommands up.
    pub(super) fn collect(
        command: &Command,
        env: Environment<'a>,
        file: Option<File>,
    ) -> Result<Self, ConfigError> {
        let mut layers = Self { env, file, values: BTreeMap::new(), secrets: BTreeSet::new() };
        layers.add(command)?;
        Ok(layers)
    }

    fn add(&mut self, command: &Command) -> Result<(), ConfigError> {
        for arg in command.get_arguments() {
            let Some(long) = arg.get_long() else { continue };
            if arg.is_hide_env_values_set() {
                self.secrets.insert(long.to_owned());
            }
            if let Some(value) = self.look_up(arg, long)? {
                self.values.insert(long.to_owned(), value);
            }
        }
        command.get_subcommands().try_for_each(|subcommand| self.add(subcommand))
    }

    /// Where the option's value comes from if no flag gives it; `None`: from its own default.
    pub(super) fn source(&self, long: &str) -> Option<&Source> {
        self.values.get(long).map(|value| &value.source)
    }

    pub(super) fn is_secret(&self, long: &str) -> bool {
        self.secrets.contains(long)
    }

    /// Gives every argument its value as default, or, where flags add to it, as flags in front of them.
    pub(super) fn apply(&self, command: Command, args: &mut Vec<OsString>) -> Command {
        if let Some(at) = position(args, PROPERTY_FLAG)
            && let Some(lower) = self.values.get(PROPERTY_FLAG)
        {
            let flags = lower.values.iter().map(|value| {
                let mut flag = OsString::from(format!("--{PROPERTY_FLAG}="));
                flag.push(value);
                flag
            });
            args.splice(at..at, flags.collect::<Vec<_>>());
        }
        self.set_defaults(command)
    }

    fn set_defaults(&self, command: Command) -> Command {
        let command =
            command.mut_args(|arg| match arg.get_long().and_then(|long| self.values.get(long)) {
                // clap counts a default as "not given", so an argument that has one cannot be required.
                Some(value) => {
                    let secret = arg.is_hide_env_values_set();
                    let arg = arg.required(false).hide_default_value(secret).env(Resettable::Reset);
                    arg.default_values(value.values.clone())
                }
                None => arg,
            });
        command.mut_subcommands(|subcommand| self.set_defaults(subcommand))
    }

    fn look_up(&self, arg: &Arg, long: &str) -> Result<Option<Value>, ConfigError> {
        let mut layers = Vec::new();
        if let Some(file) = &self.file
            && let Some(values) = file.values.get(long)
        {
            let source = Source::ConfigFile { key: long.to_owned(), path: file.path.clone() };
            layers.push(Value { source, values: values.clone() });
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
                layers.extend(
                    self.named_file(variable)?
                        .map(|(source, text)| Value { source, values: split(text) }),
                );
            }
            if let Some(text) = (self.env)(variable) {
                layers.push(Value {
                    source: Source::Environment(variable.to_owned()),
                    values: split(text),
                });
            }
        }
        Ok(if is_map { merge(layers) } else { layers.pop() })
    }

    fn named_file(&self, variable: &str) -> Result<Option<(Source, OsString)>, ConfigError> {
        let variable = format!("{variable}_FILE");
        let Some(path) = (self.env)(&variable).filter(|path| !path.is_empty()).map(PathBuf::from)
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

/// Lowest layer first, since the last of a name wins; named after the highest.
fn merge(layers: Vec<Value>) -> Option<Value> {
    layers.into_iter().reduce(|mut all, layer| {
        all.values.extend(layer.values);
        Value { source: layer.source, values: all.values }
    })
}
