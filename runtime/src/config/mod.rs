//! Options from every place they can be in: flag > environment > file named by `.._FILE` > configuration file > default.
//!
//! An option is declared once, as a clap argument with a long name and an environment variable. Everything below the
//! command line is handed to clap as that argument's default value, so one parser checks all of them alike:
//!
//! - `AUDIT_X`, if set;
//! - for secrets (declared with `hide_env_values`), the content of the file that `AUDIT_X_FILE` names;
//! - the key of the TOML file that `--config` (`AUDIT_CONFIG`) names: flat, as the long flag (`_` is as good as `-`),
//!   with an array for an option that can be repeated.
//!
//! Kafka properties are a map: they are merged by name over all these places instead of one place winning whole, so
//! that a password can stay in its file while everything else is elsewhere.

mod error;
mod file;
mod layers;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, Parser};

use crate::exit::{self, ExitCode};
use error::ConfigError;
use layers::Layers;

const CONFIG_FLAG: &str = "config";
const CONFIG_ENV: &str = "AUDIT_CONFIG";

/// Reads the options of this process. Adds `--config` to them.
///
/// Whatever is wrong ends the process: one line on stderr that names the flag, variable or key, exit code 2.
#[must_use]
pub fn parse<C: Parser>() -> C {
    match layered(std::env::args_os().collect(), &|name| std::env::var_os(name)) {
        Ok(options) => options,
        Err(ConfigError::Shown(help)) => help.exit(),
        Err(error) => {
            exit::print_error(&error);
            std::process::exit(u8::from(ExitCode::Usage).into())
        }
    }
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

fn layered<C: Parser>(mut args: Vec<OsString>, env: Environment<'_>) -> Result<C, ConfigError> {
    let command = C::command().arg(
        Arg::new(CONFIG_FLAG)
            .long(CONFIG_FLAG)
            .env(CONFIG_ENV)
            .value_name("FILE")
            .global(true)
            .help("Configuration file (TOML); its keys are the long names of the flags"),
    );
    // Help and version must work whatever the state of the configuration.
    if let Err(error) = command.clone().try_get_matches_from(&args) {
        use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
        if matches!(
            error.kind(),
            DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand
        ) {
            return Err(ConfigError::Shown(error));
        }
    }
    let file = config_path(&args, env).map(|path| file::read(&path, &command)).transpose()?;
    let layers = Layers::collect(&command, env, file)?;
    let command = layers.apply(command, &mut args);
    let matches = command
        .try_get_matches_from(&args)
        .map_err(|error| ConfigError::from_clap(&error, &layers, &args))?;
    C::from_arg_matches(&matches).map_err(|error| ConfigError::from_clap(&error, &layers, &args))
}

/// The configuration file has to be known before the rest can be parsed.
fn config_path(args: &[OsString], env: Environment<'_>) -> Option<PathBuf> {
    let from_flag =
        position(args, CONFIG_FLAG).and_then(|at| match args[at].to_str()?.split_once('=') {
            Some((_, path)) => Some(OsString::from(path)),
            None => args.get(at + 1).cloned(),
        });
    from_flag.or_else(|| env(CONFIG_ENV)).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Where the flag first stands on the command line.
fn position(args: &[OsString], long: &str) -> Option<usize> {
    let is_flag = |arg: &OsString| {
        let name = arg.to_str().and_then(|arg| arg.strip_prefix("--"));
        name.is_some_and(|name| name.split('=').next() == Some(long))
    };
    args.iter().take_while(|arg| *arg != "--").position(is_flag)
}

#[cfg(test)]
mod tests;
