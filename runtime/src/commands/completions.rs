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
        let mut script = String::from_utf8(script)?;
        if self.shell == Shell::Bash {
            script = with_one_spelling(&script, name);
        }
        print(script.as_bytes())?;
        Ok(ExitCode::Fine)
    }
}

/// The script spells a binary with a hyphen in its name in two ways, so that nothing below its commands is completed
/// (<https://github.com/clap-rs/clap/issues/6421>).
fn with_one_spelling(script: &str, name: &str) -> String {
    script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"))
}
