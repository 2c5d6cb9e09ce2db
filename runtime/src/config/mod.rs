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

mod effective;
mod environment;
mod error;
mod file;
mod layers;
mod mask;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command, CommandFactory, Parser};

use crate::commands::{self, Common, Program};
use crate::exit::{self, ExitCode};
pub(crate) use effective::{Effective, effective};
pub(crate) use environment::Environment;
pub(crate) use error::ConfigError;
use layers::Layers;

pub(crate) const CONFIG_FLAG: &str = "config";
const CONFIG_ENV: &str = "AUDIT_CONFIG";

/// Options that can be wrong in ways that only using them shows.
pub trait Check {
    /// What is wrong with them, as far as can be told without contacting anything. For `config check`.
    fn check(&self) -> Vec<anyhow::Error>;
}

/// Reads the options of this process. Adds `--config` to them, and the commands that every binary has (`config`,
/// `completions`, `man`): if one of those is asked for, it is answered here and ends the process, as `--help` does.
///
/// Whatever is wrong ends the process: one line on stderr that names the flag, variable or key, exit code 2.
#[must_use]
pub fn parse<C: Parser + Check>() -> C {
    let args: Vec<OsString> = std::env::args_os().collect();
    let env = Environment::of_process();
    if let Some((common, globals)) = Common::asked_for(with_file(C::command()), &args) {
        let command = with_file(C::command());
        let check = |matches: &ArgMatches| match C::from_arg_matches(matches) {
            Ok(options) => options.check(),
            Err(error) => vec![error.into()],
        };
        let program = Program { command: &command, globals, env: &env, check: &check };
        std::process::exit(u8::from(common.run(&program)).into())
    }
    match layered(args, &env) {
        Ok(options) => options,
        Err(ConfigError::Shown(help)) => help.exit(),
        Err(error) => {
            exit::print_error(&error);
            std::process::exit(u8::from(ExitCode::Usage).into())
        }
    }
}

/// Logs a warning for each environment variable whose name is nearly, but not quite, that of an option: it would
/// otherwise be as if it were not set. To be called once logging has started.
pub fn warn_of_misspelt_variables<C: CommandFactory>() {
    for problem in Environment::of_process().misspelt(&with_file(C::command())) {
        tracing::warn!("{problem}");
    }
}

fn layered<C: Parser>(mut args: Vec<OsString>, env: &Environment) -> Result<C, ConfigError> {
    let command = with_file(C::command());
    // Help and version must work whatever the state of the configuration.
    if let Err(error) = commands::augment(command.clone()).try_get_matches_from(&args)
        && is_answer(&error)
    {
        return Err(ConfigError::Shown(error));
    }
    let (layers, problems) = Layers::collect(&command, env, config_path(&args, env));
    if let Some(problem) = problems.into_iter().next() {
        return Err(problem);
    }
    let command = commands::augment(layers.apply(command, &mut args));
    let matches = command
        .try_get_matches_from(&args)
        .map_err(|error| ConfigError::from_clap(&error, &layers, &args))?;
    C::from_arg_matches(&matches).map_err(|error| ConfigError::from_clap(&error, &layers, &args))
}

fn with_file(command: Command) -> Command {
    command.arg(
        Arg::new(CONFIG_FLAG)
            .long(CONFIG_FLAG)
            .env(CONFIG_ENV)
            .value_name("FILE")
            .global(true)
            // Else it would be somewhere among the command's own options, under the heading that was declared last.
            .display_order(900)
            .help_heading(None::<&str>)
            .help("Configuration file (TOML); its keys are the long names of the flags"),
    )
}

/// Whether clap's "error" is what was asked for.
fn is_answer(error: &clap::Error) -> bool {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    matches!(error.kind(), DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand)
}

/// The configuration file has to be known before the rest can be parsed.
fn config_path(args: &[OsString], env: &Environment) -> Option<PathBuf> {
    let from_flag =
        position(args, CONFIG_FLAG).and_then(|at| match args[at].to_str()?.split_once('=') {
            Some((_, path)) => Some(OsString::from(path)),
            None => args.get(at + 1).cloned(),
        });
    from_flag
        .or_else(|| env.get(CONFIG_ENV).cloned())
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
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
