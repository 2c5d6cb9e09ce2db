//! An option in words: what its declaration says, for people who read a page or a file.

use clap::{Arg, ArgAction};

pub(super) struct Explained<'a> {
    arg: &'a Arg,
    pub(super) long: &'a str,
}

impl<'a> Explained<'a> {
    /// None for arguments that are no options.
    pub(super) fn new(arg: &'a Arg) -> Option<Self> {
        Some(Self { arg, long: arg.get_long()? })
    }

    /// What the option does, on one line.
    pub(super) fn help(&self) -> String {
        help(self.arg)
    }

    pub(super) fn heading(&self) -> &'a str {
        self.arg.get_help_heading().unwrap_or("Options")
    }

    /// The variable it is read from; for a secret also the one that names a file.
    pub(super) fn variables(&self) -> Vec<String> {
        let variable = self.arg.get_env().map(|name| name.to_string_lossy().into_owned());
        let named =
            variable.as_ref().filter(|_| self.is_secret()).map(|name| format!("{name}_FILE"));
        variable.into_iter().chain(named).collect()
    }

    pub(super) fn is_secret(&self) -> bool {
        self.arg.is_hide_env_values_set()
    }

    pub(super) fn is_required(&self) -> bool {
        self.arg.is_required_set()
    }

    fn is_switch(&self) -> bool {
        matches!(self.arg.get_action(), ArgAction::SetTrue)
    }

    pub(super) fn is_repeatable(&self) -> bool {
        matches!(self.arg.get_action(), ArgAction::Append)
    }

    /// The flag as one writes it.
    pub(super) fn flag(&self) -> String {
        if self.is_switch() {
            format!("--{}", self.long)
        } else {
            format!("--{} {}", self.long, value_name(self.arg))
        }
    }

    /// What stands for a value where there is no default.
    pub(super) fn placeholder(&self) -> String {
        match possible_values(self.arg).as_slice() {
            [] => value_name(self.arg),
            values => values.join("|"),
        }
    }

    /// The values of the default; none if there is no default.
    pub(super) fn defaults(&self) -> Vec<String> {
        if self.is_switch() {
            return vec!["false".to_owned()];
        }
        let defaults = self.arg.get_default_values().iter();
        defaults.map(|value| value.to_string_lossy().into_owned()).collect()
    }
}

/// What an argument is for, with the values it can have if these are few.
pub(super) fn help(arg: &Arg) -> String {
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string);
    let help = help.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    match possible_values(arg).as_slice() {
        [] => help,
        values => format!("{help}; one of {}", values.join(", ")),
    }
}

/// The name of an argument's value, as help calls it.
pub(super) fn value_name(arg: &Arg) -> String {
    match arg.get_value_names() {
        Some([name, ..]) => name.to_string(),
        _ => arg.get_id().as_str().to_uppercase(),
    }
}

fn possible_values(arg: &Arg) -> Vec<String> {
    if !arg.get_action().takes_values() {
        return Vec::new();
    }
    let values = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
    values.map(|value| value.get_name().to_owned()).collect()
}
