//! Consumers that come, go, freeze and die.

mod file_handles;
mod killed;
mod members;
mod offsets;
pub(crate) mod protocol;
mod stopped;
mod zombie;
