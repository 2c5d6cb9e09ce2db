//! Brokers that crash and freeze; topics that are cut, replaced, grown and written in transactions.

mod crash;
pub(crate) mod halted;
mod partitions;
mod recreated;
mod transactions;
mod truncated;

pub(crate) use halted::is_halted;
