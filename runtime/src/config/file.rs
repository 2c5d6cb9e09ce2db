//! The TOML file: flat keys, each the long name of an option.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Command};

use super::error::ConfigError;

/// What a configuration file says: the values of each option, by long name.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) values: BTreeMap<String, Vec<OsString>>,
}

/// Reads the file and holds its keys against the options of the command and all its subcommands. What it says of other
/// keys stands when one is wrong.
pub(super) fn read(path: PathBuf, command: &Command, problems: &mut Vec<ConfigError>) -> File {
    let mut file = File { path, values: BTreeMap::new() };
    let known = options(command);
    match table(&file.path) {
        Ok(table) => {
            for (key, value) in table {
                match entry(&file.path, key, value, &known) {
                    Ok((long, texts)) => drop(file.values.insert(long, texts)),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        Err(problem) => problems.push(problem),
    }
    file
}

fn table(path: &Path) -> Result<toml::Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        what: "--config (AUDIT_CONFIG)",
        path: path.to_owned(),
        source,
    })?;
    text.parse().map_err(|error: toml::de::Error| ConfigError::NotToml {
        path: path.to_owned(),
        line: error
            .span()
            .map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1),
        message: error.message().to_owned(),
    })
}

fn entry(
    path: &Path,
    key: String,
    value: toml::Value,
    known: &BTreeMap<String, bool>,
) -> Result<(String, Vec<OsString>), ConfigError> {
    let long = key.replace('_', "-");
    let path = path.to_owned();
    let Some(&repeatable) = known.get(&long) else {
        return Err(ConfigError::UnknownKey { path, nearest: nearest(&long, known), key });
    };
    let wrong = |wanted| ConfigError::WrongKind { path, key, wanted };
    let texts = match value {
        toml::Value::Array(items) if repeatable => {
            let texts = items.into_iter().map(scalar).collect::<Option<_>>();
            texts.ok_or_else(|| wrong("plain values in its array"))?
        }
        toml::Value::Array(_) => return Err(wrong("one value, not an array")),
        value => vec![scalar(value).ok_or_else(|| wrong("a plain value, not a table"))?],
    };
    Ok((long, texts))
}

/// Long names of all options, and whether each can be repeated.
fn options(command: &Command) -> BTreeMap<String, bool> {
    let own = command.get_arguments().filter_map(|arg| {
        let long = arg.get_long().filter(|long| *long != super::CONFIG_FLAG)?;
        Some((long.to_owned(), matches!(arg.get_action(), ArgAction::Append)))
    });
    own.chain(command.get_subcommands().flat_map(options)).collect()
}

fn nearest(key: &str, known: &BTreeMap<String, bool>) -> Option<String> {
    let rated = known.keys().map(|name| (strsim::jaro_winkler(key, name), name));
    let (likeness, name) = rated.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness > 0.75).then(|| name.clone())
}

fn scalar(value: toml::Value) -> Option<OsString> {
    let text = match value {
        toml::Value::String(text) => text,
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(truth) => truth.to_string(),
        toml::Value::Datetime(time) => time.to_string(),
        toml::Value::Array(_) | toml::Value::Table(_) => return None,
    };
    Some(text.into())
}
