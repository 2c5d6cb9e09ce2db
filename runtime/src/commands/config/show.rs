//! `config show`: what a command would be told, and by whom.

use super::target::Target;
use crate::commands::{Program, print};
use crate::config::ConfigError;
use crate::exit::{self, ExitCode};
use crate::format::{self, Format, Rows};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Form of the result; stands before the command
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    target: Target,
}

impl Options {
    pub(super) fn run(&self, program: &Program<'_>) -> anyhow::Result<ExitCode> {
        let (_, effective) = self.target.effective(program)?;
        let mut problems = effective.problems;
        let Some(settings) = effective.settings else {
            let last = problems.pop().unwrap_or(ConfigError::Arguments("invalid flags".into()));
            return Err(last.into());
        };
        let mut out = Vec::new();
        format::print(&mut out, self.format, &Rows::of(&settings)?)?;
        print(&out)?;
        for problem in &problems {
            exit::print_error(problem);
        }
        Ok(if problems.is_empty() { ExitCode::Fine } else { ExitCode::ProblemsFound })
    }
}
