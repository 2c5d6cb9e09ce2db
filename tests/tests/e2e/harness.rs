//! The harness itself: a fault case proves nothing if the fault does not happen.

mod kafka;
mod left_behind;
mod oracle;
mod postgres;
mod proxy;
