//! What can be asked of the suite.

use clap::Args;

/// The controller on a real kube-apiserver: thousands of resources that finish at once, and a few each second.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Resources that finish at once [default: 5000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=100_000))]
    resources: Option<u32>,

    /// 200 resources and a few seconds, to see whether it works: the figures mean little
    #[arg(long)]
    quick: bool,
}

impl Settings {
    pub(super) fn resources(&self) -> u32 {
        self.resources.unwrap_or(if self.quick { 200 } else { 5_000 })
    }

    /// Seconds of a steady stream.
    pub(super) fn seconds(&self) -> u32 {
        if self.quick { 5 } else { 60 }
    }
}
