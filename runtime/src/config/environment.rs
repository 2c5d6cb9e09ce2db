//! The environment of the process, and names in it that are probably typing mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use clap::Command;

use super::error::ConfigError;

const PREFIX: &str = "AUDIT_";

/// Environment variables by name; those whose names are not UTF-8 are none of ours.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, OsString>);

impl Environment {
    pub(crate) fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&OsString> {
        self.0.get(name)
    }

    /// Variables that no option of the command reads although one is called much the same.
    ///
    /// A name that resembles none is left alone: it may be the other binary's, or anyone's.
    pub(crate) fn misspelt(&self, command: &Command) -> Vec<ConfigError> {
        let mut known = BTreeSet::new();
        add_names(command, &mut known);
        let strays = self.0.keys().filter(|name| {
            name.starts_with(PREFIX) && !known.contains(*name) && !self.is_service_link(name)
        });
        strays
            .filter_map(|variable| {
                let nearest = nearest(variable, &known)?.clone();
                Some(ConfigError::Misspelt { variable: variable.clone(), nearest })
            })
            .collect()
    }

    /// Kubernetes sets `NAME_SERVICE_HOST`, `NAME_PORT` and more for each Service of the namespace.
    fn is_service_link(&self, variable: &str) -> bool {
        ["_SERVICE_", "_PORT"]
            .iter()
            .flat_map(|part| variable.match_indices(part))
            .any(|(end, _)| self.0.contains_key(&format!("{}_SERVICE_HOST", &variable[..end])))
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

fn add_names(command: &Command, names: &mut BTreeSet<String>) {
    for arg in command.get_arguments() {
        let Some(name) = arg.get_env().and_then(|name| name.to_str()) else { continue };
        names.insert(name.to_owned());
        if arg.is_hide_env_values_set() {
            names.insert(format!("{name}_FILE"));
        }
    }
    for subcommand in command.get_subcommands() {
        add_names(subcommand, names);
    }
}

/// The known name within two typing mistakes, one for names of a few letters.
fn nearest<'a>(variable: &str, known: &'a BTreeSet<String>) -> Option<&'a String> {
    let rated = known.iter().map(|name| (strsim::osa_distance(variable, name), name));
    let (mistakes, name) = rated.min_by_key(|(mistakes, _)| *mistakes)?;
    let allowed = if name.len() - PREFIX.len() < 6 { 1 } else { 2 };
    (mistakes <= allowed).then_some(name)
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn misspelt(names: &[&str]) -> Vec<String> {
        let command = Command::new("test")
            .arg(Arg::new("brokers").long("brokers").env("AUDIT_BROKERS"))
            .arg(Arg::new("sort").long("sort").env("AUDIT_SORT"))
            .subcommand(
                Command::new("run")
                    .arg(Arg::new("log").long("log").env("AUDIT_LOG"))
                    .arg(Arg::new("url").long("url").env("AUDIT_URL").hide_env_values(true)),
            );
        let env: Environment = names.iter().map(|name| (*name, "x")).collect();
        env.misspelt(&command).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_nearly_an_option_is_told() {
        assert_eq!(
            misspelt(&["AUDIT_BROKER", "AUDIT_LOGS", "AUDIT_URL_FIEL"]),
            [
                "no option reads the environment variable AUDIT_BROKER; did you mean AUDIT_BROKERS?",
                "no option reads the environment variable AUDIT_LOGS; did you mean AUDIT_LOG?",
                "no option reads the environment variable AUDIT_URL_FIEL; did you mean AUDIT_URL_FILE?",
            ]
        );
    }

    #[test]
    fn what_is_an_option_or_resembles_none_is_left_alone() {
        let none: [&str; 0] = [];
        assert_eq!(misspelt(&["AUDIT_BROKERS", "AUDIT_URL_FILE", "AUDIT_LANES", "BROKER"]), none);
    }

    #[test]
    fn service_links_are_left_alone() {
        // Those of a Service named audit.
        let links = ["AUDIT_SERVICE_HOST", "AUDIT_SERVICE_PORT", "AUDIT_PORT", "AUDIT_PORT_80_TCP"];
        let none: [&str; 0] = [];
        assert_eq!(misspelt(&links), none);
        assert_eq!(misspelt(&links[1..]).len(), 1, "AUDIT_PORT without such a Service");
    }
}
