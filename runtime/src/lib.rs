//! What both audit binaries need to be a service.
//!
//! A binary reads its options ([`config`], [`kafka`], [`logging`]), starts logging, binds its sockets
//! ([`listen`], [`admin`]), works until it is told to stop ([`signals`]) and says how it went ([`exit`]).
//! Nothing here knows about events or databases, or holds a Kafka client.

pub mod admin;
pub mod build_info;
pub mod certificate;
mod commands;
pub mod config;
pub mod duration;
pub mod exit;
pub mod format;
pub mod healthcheck;
pub mod kafka;
pub mod listen;
pub mod logging;
pub mod metrics;
pub mod signals;
pub mod telemetry;
pub mod terminal;
