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
        let mut problems = effective.problems;
        if !self.target.is_given() {
            for other in target::leaves(program.command).iter().filter(|other| **other != path) {
                let of_other =
                    config::effective(program.command, other, &program.globals, program.env)?;
                // Nobody asked whether that command could be started.
                let missing = |problem: &ConfigError| matches!(problem, ConfigError::Missing(_));
                problems.extend(of_other.problems.into_iter().filter(|problem| !missing(problem)));
            }
        }
        problems.extend(program.env.misspelt(program.command));
        report(&problems)
    }
}

/// One line for each problem; several commands may have the same.
fn report(problems: &[ConfigError]) -> anyhow::Result<ExitCode> {
    let mut lines = String::new();
    for problem in problems {
        let line = exit::one_line(&problem.to_string());
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
