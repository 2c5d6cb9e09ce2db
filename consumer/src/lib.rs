//! Moves audit events from Kafka into partitioned PostgreSQL: no acknowledged event lost, none stored twice.
//!
//! The way of a record, and the module that decides each step:
//!
//! ```text
//! Kafka ─► source ─► lane::gather ─► batch ─► lane::write ─► store ─► PostgreSQL
//!            ▲  (own thread)  (decode, validate)    (retry, fence)  (one transaction)
//!            └──────────── takeover: where the database says to go on
//! ```
//!
//! [`observe`] watches how far the stream is, [`partitions`] keeps the table's months, [`streams`] tells people where
//! everything stands, [`verify`] proves what is stored.

pub mod backoff;
pub mod batch;
pub mod budget;
pub mod claim;
pub mod commands;
pub mod database;
pub mod kafka;
pub mod lane;
pub mod metrics;
pub mod observe;
pub mod partitions;
pub mod source;
pub mod store;
pub mod stream_name;
pub mod streams;
pub mod takeover;
pub mod verify;
