//! `config reference`: every option of every command, as the Markdown that docs/configuration.md is made of.

use std::fmt::{Result, Write};

use clap::{Arg, Command};

use super::explained::{self, Explained};
use super::target::is_complete;
use crate::commands::{Program, print};
use crate::exit::ExitCode;

pub(super) fn run(program: &Program<'_>) -> anyhow::Result<ExitCode> {
    let mut text = String::new();
    page(&mut text, program)?;
    print(text.as_bytes())?;
    Ok(ExitCode::Fine)
}

fn page(text: &mut String, program: &Program<'_>) -> Result {
    let (whole, binary) = (program.whole(), program.command);
    writeln!(text, "## {}\n\n{}\n", binary.get_name(), about(binary))?;
    writeln!(text, "### Options of every command")?;
    options(text, binary.get_arguments())?;
    for command in whole.get_subcommands() {
        section(text, binary.get_name(), command, binary.find_subcommand(command.get_name()))?;
    }
    Ok(())
}

/// A command and those below it; `configured` is the same command if it reads the configuration.
fn section(
    text: &mut String,
    above: &str,
    command: &Command,
    configured: Option<&Command>,
) -> Result {
    let name = format!("{above} {}", command.get_name());
    if is_complete(command) {
        writeln!(text, "\n### {name}\n\n{}", about(command))?;
        match configured {
            Some(command) => {
                arguments(text, command.get_positionals())?;
                options(text, command.get_arguments())?;
            }
            // What it takes is no part of the configuration.
            None => arguments(text, command.get_arguments())?,
        }
    }
    command.get_subcommands().try_for_each(|below| {
        let configured = configured.and_then(|command| command.find_subcommand(below.get_name()));
        section(text, &name, below, configured)
    })
}

fn arguments<'a>(text: &mut String, args: impl Iterator<Item = &'a Arg>) -> Result {
    let mut args = args.peekable();
    if args.peek().is_some() {
        writeln!(text)?;
    }
    args.try_for_each(|arg| {
        let name = match Explained::new(arg) {
            Some(option) => option.flag(),
            None => explained::value_name(arg),
        };
        writeln!(text, "- `{name}`: {}", plain(&explained::help(arg)))
    })
}

fn options<'a>(text: &mut String, args: impl Iterator<Item = &'a Arg>) -> Result {
    let mut options = args.filter_map(Explained::new).peekable();
    if options.peek().is_none() {
        return Ok(());
    }
    writeln!(text, "\n| flag | environment | key | default | what it is |\n|---|---|---|---|---|")?;
    options.try_for_each(|option| row(text, &option))
}

fn row(text: &mut String, option: &Explained<'_>) -> Result {
    let code = |values: &[String]| {
        let quoted: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        if quoted.is_empty() { "–".to_owned() } else { quoted.join("<br>") }
    };
    let long = option.long;
    // The file cannot name itself.
    let key = if long == crate::config::CONFIG_FLAG { Vec::new() } else { vec![long.to_owned()] };
    let default =
        if option.is_required() { "required".to_owned() } else { code(&option.defaults()) };
    let cells = [
        code(&[option.flag()]),
        code(&option.variables()),
        code(&key),
        default,
        plain(&option.help()),
    ];
    writeln!(text, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

fn about(command: &Command) -> String {
    let about = command.get_long_about().or_else(|| command.get_about());
    plain(&about.map(ToString::to_string).unwrap_or_default())
}

/// Angle brackets would be HTML.
fn plain(text: &str) -> String {
    text.replace('<', "&lt;").replace('>', "&gt;")
}
