//! The operating system's side: processes, ports, and making sure that nothing is left behind.

mod family;
mod ports;
mod process;
mod reaper;

pub use family::descendants;
pub use ports::free_port;
pub use process::{Launch, OpenFiles, Process};
pub(crate) use reaper::Reaper;
