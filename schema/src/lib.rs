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
//!
//! # Making an event
//!
//! Publishers fill in a [`WorkflowExecutionAudit`](event::WorkflowExecutionAudit) and leave the rest to the crate
//! `audit-producer`. What a decoder refuses it names by field, with a [`Code`](problem::Code) that is stable:
//!
//! ```
//! use audit_schema::decode::Decoder;
//! use audit_schema::problem::Code;
//!
//! let json = br#"{"remediation_id":"rr-1","workflow_name":"restart-pod","workflow_version":"v1",
//!     "outcome":"great","step_executions":[{"duration":"3s"}]}"#;
//! let rejection = Decoder::default().decode(json).unwrap_err();
//! let found: Vec<_> =
//!     rejection.problems.iter().map(|problem| (problem.path.as_str(), problem.code)).collect();
//! assert_eq!(
//!     found,
//!     [("outcome", Code::InvalidOutcome), ("step_executions[0].duration", Code::WrongType)]
//! );
//! ```
//!
//! # Reading a record
//!
//! Consumers decode the value, then ask the headers whose event it is. An event without an id gets the one that its
//! content means, the same everywhere and for ever:
//!
//! ```
//! use audit_schema::decode::Decoder;
//! use audit_schema::headers::RecordHeaders;
//! use audit_schema::identity;
//!
//! # fn main() -> Result<(), audit_schema::problem::Rejection> {
//! let value = br#"{"id":"","remediation_id":"rr-1","workflow_name":"restart-pod",
//!     "workflow_version":"v1","outcome":"success","completed_at":"2025-01-15T10:30:00Z"}"#;
//! let mut decoder = Decoder::default(); // keep it: its scratch memory is used again
//! let event = decoder.decode(value)?;
//! let id = RecordHeaders::default().resolve_id(&event)?;
//! assert_eq!(identity::created_at(id), event.columns.completed_at);
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//!
//! An event has at most [`MAX_EVENT_BYTES`](topic::MAX_EVENT_BYTES), is nested at most 32 levels deep and names each
//! key once. Unknown top-level fields are kept as they came. There are no cargo features. The same contract for other
//! languages: `schema/workflow-execution-audit.schema.json` and `docs/asyncapi.json`.

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
mod generated;
#[cfg(test)]
mod json_schema;
mod timestamp;
