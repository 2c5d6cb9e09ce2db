//! What is wrong with the options, in one line that says where and what to do.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::layers::Layers;
use super::position;

const HOW_TO_GIVE: &str = " (each option is also an environment variable and a key of the configuration file: see --help)";

#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// Not an error: help or version, for clap to print.
    #[error("{0}")]
    Shown(clap::Error),
    #[error("cannot read {}, given by {what}: {source}", path.display())]
    Unreadable { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("cannot read {}, given by {variable}: {source}", path.display())]
    UnreadableSecret { variable: String, path: PathBuf, source: std::io::Error },
    #[error("{}:{line}: not TOML: {message}", path.display())]
    NotToml { path: PathBuf, line: usize, message: String },
    #[error(
        "{}: unknown key `{key}`{}", path.display(),
        nearest.as_ref().map_or_else(|| "; --help lists the options".to_owned(), |name| format!("; did you mean `{name}`?"))
    )]
    UnknownKey { path: PathBuf, key: String, nearest: Option<String> },
    #[error("{}: `{key}` must be {wanted}", path.display())]
    WrongKind { path: PathBuf, key: String, wanted: &'static str },
    /// An `AUDIT_..` variable that no option reads, though one is called much the same.
    #[error("no option reads the environment variable {variable}; did you mean {nearest}?")]
    Misspelt { variable: String, nearest: String },
    /// What has to be given and is not.
    #[error("{0}")]
    Missing(String),
    #[error("{0}")]
    Arguments(String),
}

impl ConfigError {
    /// Folds clap's paragraphs into a line, names the place a bad value came from and hides secrets.
    pub(super) fn from_clap(error: &clap::Error, layers: &Layers<'_>, args: &[OsString]) -> Self {
        if error.kind() == ErrorKind::MissingRequiredArgument {
            return Self::Missing(fold(error) + HOW_TO_GIVE);
        }
        Self::Arguments(match (error.kind(), long_name(error)) {
            (ErrorKind::ValueValidation | ErrorKind::InvalidValue, Some(long)) => {
                let origin = origin(long, layers, args);
                if layers.is_secret(long) {
                    format!(
                        "invalid value for {origin} (not shown: it may be a secret){}",
                        safe_reason(error)
                    )
                } else {
                    let text = fold(error);
                    if origin.starts_with("--") { text } else { format!("{text} (from {origin})") }
                }
            }
            _ => fold(error),
        })
    }
}

/// The long name of the option that is at fault: `--deadline <DURATION>` is `deadline`.
pub(super) fn long_name(error: &clap::Error) -> Option<&str> {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => {
            argument.strip_prefix("--")?.split([' ', '=', '[']).next()
        }
        _ => None,
    }
}

fn origin(long: &str, layers: &Layers<'_>, args: &[OsString]) -> String {
    match layers.source(long) {
        Some(source) if position(args, long).is_none() => source.to_string(),
        _ => format!("--{long}"),
    }
}

/// The parser's own words, unless they repeat the value.
fn safe_reason(error: &clap::Error) -> String {
    let value = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value.as_str(),
        _ => "",
    };
    match std::error::Error::source(error).map(ToString::to_string) {
        Some(reason) if value.is_empty() || !reason.contains(value) => format!(": {reason}"),
        _ => String::new(),
    }
}

fn fold(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let said = lines.take_while(|line| {
        !line.starts_with("Usage:") && !line.starts_with("For more information")
    });
    let said: Vec<&str> = said.collect();
    let mut line = said.first().map_or("", |first| first.trim_start_matches("error: ")).to_owned();
    for more in said.iter().skip(1) {
        line.push_str(if line.ends_with(':') || more.starts_with('[') { " " } else { "; " });
        line.push_str(more);
    }
    line
}
