//! `config check`: what is wrong with the configuration, before anything is started with it.

use std::fmt::Write;

use super::target::{self, Target};
use crate::commands::{Program, print};
use crate::config::{self, ConfigError};
use crate::exit::{self, ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
}

impl Options {
    pub(super) fn run(&self, program: &Program<'_>) -> anyhow::Result<ExitCode> {
        let (path, effective) = self.target.effective(program)?;
        let mut problems = lines(&effective.problems);
        if problems.is_empty()
            && let Some(matches) = &effective.matches
        {
            problems.extend((program.check)(matches).iter().map(|error| format!("{error:#}")));
        }
        if !self.target.is_given() {
            for other in target::leaves(program.command).iter().filter(|other| **other != path) {
                let of_other =
                    config::effective(program.command, other, &program.globals, program.env)?;
                // Nobody asked whether that command could be started.
                let missing = |problem: &ConfigError| matches!(problem, ConfigError::Missing(_));
                problems
                    .extend(lines(of_other.problems.iter().filter(|problem| !missing(problem))));
            }
        }
        problems.extend(lines(&program.env.misspelt(program.command)));
        report(&problems)
    }
}

fn lines<'a>(problems: impl IntoIterator<Item = &'a ConfigError>) -> Vec<String> {
    problems.into_iter().map(ToString::to_string).collect()
}

/// One line for each problem; several commands may have the same.
fn report(problems: &[String]) -> anyhow::Result<ExitCode> {
    let mut lines = String::new();
    for problem in problems {
        let line = exit::one_line(problem);
        if !lines.lines().any(|known| known == line) {
            writeln!(lines, "{line}")?;
        }
    }
    if lines.is_empty() {
        print(b"ok\n")?;
        return Ok(ExitCode::Fine);
    }
    print(lines.as_bytes())?;
    Ok(ExitCode::ProblemsFound)
}
