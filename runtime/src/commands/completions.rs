//! `completions`: a script for the shell that completes commands and flags.

use clap_complete::Shell;

use super::{Program, print};
use crate::exit::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Shell the script is for
    shell: Shell,
}

impl Options {
    pub(super) fn run(&self, program: &Program<'_>) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        let name = program.command.get_name();
        clap_complete::generate(self.shell, &mut program.whole(), name, &mut script);
        print(&script)?;
        Ok(ExitCode::Fine)
    }
}
