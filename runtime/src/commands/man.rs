//! `man`: manual pages, in roff.

use std::path::PathBuf;

use anyhow::Context;

use super::{Program, print};
use crate::exit::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write a page for every command to this directory, which is made if need be, instead of one to stdout
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
}

impl Options {
    pub(super) fn run(&self, program: &Program<'_>) -> anyhow::Result<ExitCode> {
        match &self.out_dir {
            Some(directory) => std::fs::create_dir_all(directory)
                .and_then(|()| clap_mangen::generate_to(program.whole(), directory))
                .with_context(|| {
                    format!("cannot write manual pages to {} (--out-dir)", directory.display())
                })?,
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(program.whole().disable_help_subcommand(true))
                    .render(&mut page)?;
                print(&page)?;
            }
        }
        Ok(ExitCode::Fine)
    }
}
