//! What a command would be told if it were started: every option, where its value comes from, and what is wrong.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use super::environment::Environment;
use super::error::{self, ConfigError};
use super::layers::Layers;
use super::{config_path, is_answer, mask, position};
use crate::kafka::PROPERTY_FLAG;

/// An option, or one Kafka property, as a command would get it. Secrets are hidden already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Setting {
    pub(crate) option: String,
    /// None: not set, and without a default.
    pub(crate) value: Option<String>,
    pub(crate) origin: String,
}

/// What a command would be told.
pub(crate) struct Effective {
    /// None if the command line itself cannot be understood.
    pub(crate) settings: Option<Vec<Setting>>,
    /// What clap makes of it all; as the settings, none if it cannot.
    pub(crate) matches: Option<ArgMatches>,
    pub(crate) problems: Vec<ConfigError>,
}

/// Works out what the command at `path` gets from its flags and all other places.
///
/// Each problem is put aside once found, so that the next one shows and the rest of the values can be told.
///
/// # Errors
/// [`ConfigError::Shown`] if the flags ask for help.
pub(crate) fn effective(
    command: &Command,
    path: &[String],
    flags: &[OsString],
    env: &Environment,
) -> Result<Effective, ConfigError> {
    let names = std::iter::once(command.get_name()).chain(path.iter().map(String::as_str));
    let args: Vec<OsString> = names.map(OsString::from).chain(flags.iter().cloned()).collect();
    let (mut layers, mut problems) = Layers::collect(command, env, config_path(&args, env));
    let mut lenient = command.clone();
    let matches = loop {
        let mut args = args.clone();
        let clap_error = match layers.apply(lenient.clone(), &mut args).try_get_matches_from(&args)
        {
            Ok(matches) => break Some(matches),
            Err(error) if is_answer(&error) => return Err(ConfigError::Shown(error)),
            Err(error) => error,
        };
        problems.push(ConfigError::from_clap(&clap_error, &layers, &args));
        let put_aside = match error::long_name(&clap_error) {
            _ if clap_error.kind() == ErrorKind::MissingRequiredArgument => {
                let strict = lenient.clone();
                lenient = without_required(lenient);
                is_any_required(&strict)
            }
            Some(long) if long == PROPERTY_FLAG || position(&args, long).is_none() => {
                layers.refuse(long)
            }
            _ => false,
        };
        if !put_aside {
            break None;
        }
    };
    let settings = matches.as_ref().map(|matches| settings(command, path, matches, &layers));
    Ok(Effective { settings, matches, problems })
}

fn without_required(command: Command) -> Command {
    command.mut_args(|arg| arg.required(false)).mut_subcommands(without_required)
}

fn is_any_required(command: &Command) -> bool {
    command.get_arguments().any(Arg::is_required_set)
        || command.get_subcommands().any(is_any_required)
}

/// The command's own options, then those that every command has.
fn settings(
    command: &Command,
    path: &[String],
    matches: &ArgMatches,
    layers: &Layers<'_>,
) -> Vec<Setting> {
    let globals = command.get_arguments().filter(|arg| arg.is_global_set());
    let (mut leaf, mut matches) = (command, matches);
    for name in path {
        let (Some(command), Some(of_command)) =
            (leaf.find_subcommand(name), matches.subcommand_matches(name))
        else {
            break;
        };
        (leaf, matches) = (command, of_command);
    }
    leaf.get_arguments()
        .chain(globals)
        .filter_map(|arg| Some((arg, arg.get_long()?)))
        .flat_map(|(arg, long)| match long {
            PROPERTY_FLAG => properties(arg, matches, layers),
            _ => vec![setting(arg, long, matches, layers)],
        })
        .collect()
}

fn setting(arg: &Arg, long: &str, matches: &ArgMatches, layers: &Layers<'_>) -> Setting {
    let given = layers.given(long).last();
    let (values, origin) = if is_flag(arg, matches) {
        (raw(arg, matches), format!("--{long}"))
    } else if let Some(given) = given {
        let invalid = if layers.is_refused(long) { " (invalid)" } else { "" };
        (texts(&given.values), format!("{}{invalid}", given.source))
    } else {
        let defaults = arg.get_default_values().iter().map(|text| text.to_string_lossy().into());
        (defaults.collect(), "default".to_owned())
    };
    let value = match (values.as_slice(), arg.get_action()) {
        ([], ArgAction::SetTrue) => Some("false".to_owned()),
        ([], _) => None,
        _ => Some(values.join(",")),
    };
    let origin = if value.is_some() { origin } else { "not set".to_owned() };
    let value = match value {
        Some(value) if layers.is_secret(long) => Some(mask::secret(&value)),
        value => value,
    };
    Setting { option: long.to_owned(), value, origin }
}

/// One setting per property, each with its own origin: the last of a name wins.
fn properties(arg: &Arg, matches: &ArgMatches, layers: &Layers<'_>) -> Vec<Setting> {
    let mut given: Vec<(String, String)> = Vec::new();
    for place in layers.given(PROPERTY_FLAG) {
        given.extend(texts(&place.values).into_iter().map(|text| (text, place.source.to_string())));
    }
    if is_flag(arg, matches) {
        // What lower places say stands in front of the flags.
        let lower = layers.accepted(PROPERTY_FLAG).count();
        let flags = raw(arg, matches).into_iter().skip(lower);
        given.extend(flags.map(|text| (text, format!("--{PROPERTY_FLAG}"))));
    }
    let mut settings: Vec<Setting> = Vec::new();
    for (text, origin) in given {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.trim(), mask::property(name, value.trim())),
            None => ("(invalid)", mask::secret("")),
        };
        let setting =
            Setting { option: format!("{PROPERTY_FLAG} {name}"), value: Some(value), origin };
        match settings.iter_mut().find(|known| known.option == setting.option) {
            Some(lower) => *lower = setting,
            None => settings.push(setting),
        }
    }
    settings
}

fn is_flag(arg: &Arg, matches: &ArgMatches) -> bool {
    matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
}

fn raw(arg: &Arg, matches: &ArgMatches) -> Vec<String> {
    let values = matches.get_raw(arg.get_id().as_str()).into_iter().flatten();
    values.map(|value| value.to_string_lossy().into_owned()).collect()
}

fn texts(values: &[OsString]) -> Vec<String> {
    values.iter().map(|value| value.to_string_lossy().into_owned()).collect()
}
