//! The audit event, as pure data and rules: no I/O, no threads, no clock.
//!
//! In the order an event meets them:
//!
//! | module | what it decides |
//! |---|---|
//! | [`event`] | the types publishers fill in, and their JSON |
//! | [`identity`] | the id of an event that comes without one |
//! | [`topic`] | topic, settings, limits and header names in Kafka |
//! | [`headers`] | what a record's headers say about its value |
//! | [`decode`] | one pass over the value: validation, columns, digest |
//! | [`problem`] | what is wrong with a refused event |
//! | [`columns`] | the content as the table holds it |
//! | [`digest`] | when two contents are the same |
//! | [`version`] | which of several contents of an id is current |
//! | [`migrations`] | the tables |

pub mod columns;
pub mod decode;
pub mod digest;
pub mod event;
pub mod headers;
pub mod identity;
pub mod migrations;
pub mod problem;
pub mod topic;
pub mod version;

#[cfg(test)]
mod asyncapi;
#[cfg(test)]
mod json_schema;
mod timestamp;
