//! `config example`: a configuration file to start from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use clap::{Arg, Command};

use super::explained::Explained;
use super::target::Target;
use crate::commands::{Program, print};
use crate::config::CONFIG_FLAG;
use crate::exit::ExitCode;

/// Columns a comment may take.
const WIDTH: usize = 100;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
}

impl Options {
    pub(super) fn run(&self, program: &Program<'_>) -> anyhow::Result<ExitCode> {
        let command = self.target.command(program.command)?;
        print(file(program.command, command)?.as_bytes())?;
        Ok(ExitCode::Fine)
    }
}

/// The keys of `command`, and of all commands below it, each once; `binary` is the command all others are below.
fn file(binary: &Command, command: &Command) -> Result<String, std::fmt::Error> {
    let mut sections = BTreeMap::new();
    let mut order = Vec::new();
    let mut seen = BTreeSet::from([CONFIG_FLAG]);
    for arg in args(command).into_iter().chain(globals(binary)) {
        let Some(option) = Explained::new(arg).filter(|option| seen.insert(option.long)) else {
            continue;
        };
        let section = sections.entry(option.heading()).or_insert_with(|| {
            order.push(option.heading());
            Vec::new()
        });
        section.push(option);
    }
    let mut text = String::new();
    comment(
        &mut text,
        &format!(
            "Configuration of {}. Every key is commented out, at its default where it has one. Flags and \
             environment variables win over this file; `{0} config show` tells what a command gets.",
            binary.get_name()
        ),
    )?;
    for heading in order {
        writeln!(text, "\n# ---- {heading} ----")?;
        for option in &sections[heading] {
            entry(&mut text, option)?;
        }
    }
    Ok(text)
}

fn args(command: &Command) -> Vec<&Arg> {
    let own = command.get_arguments().filter(|arg| !arg.is_global_set());
    own.chain(command.get_subcommands().flat_map(args)).collect()
}

fn globals(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| arg.is_global_set())
}

fn entry(text: &mut String, option: &Explained<'_>) -> std::fmt::Result {
    writeln!(text)?;
    comment(text, &option.help())?;
    let variables = option.variables();
    if !variables.is_empty() {
        let secret = if option.is_secret() { " (a secret: better not in this file)" } else { "" };
        comment(text, &format!("Environment: {}{secret}", variables.join(", ")))?;
    }
    if option.is_required() {
        comment(text, "Required: has no default")?;
    }
    let key = option.long;
    let defaults: Vec<_> = option.defaults().iter().map(|value| toml(value)).collect();
    match defaults.as_slice() {
        // The space sets it apart from keys that can be uncommented as they are.
        [] if option.is_repeatable() => {
            writeln!(text, "# {key} = [{}]", toml(&option.placeholder()))
        }
        [] => writeln!(text, "# {key} = {}", toml(&option.placeholder())),
        values if option.is_repeatable() => writeln!(text, "#{key} = [{}]", values.join(", ")),
        [value, ..] => writeln!(text, "#{key} = {value}"),
    }
}

/// A number or truth value as such, all else as a string.
fn toml(value: &str) -> String {
    if value.parse::<i64>().is_ok() || matches!(value, "true" | "false") {
        value.to_owned()
    } else {
        toml::Value::from(value).to_string()
    }
}

fn comment(text: &mut String, prose: &str) -> std::fmt::Result {
    let mut column = 0;
    for word in prose.split_whitespace() {
        if column > 0 && column + 1 + word.len() > WIDTH {
            writeln!(text)?;
            column = 0;
        }
        let lead = if column == 0 { "# " } else { " " };
        write!(text, "{lead}{word}")?;
        column += lead.len() + word.len();
    }
    writeln!(text)
}
