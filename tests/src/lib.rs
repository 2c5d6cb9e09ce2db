//! Real parts for tests: Apache Kafka, PostgreSQL and the project's own binaries on free ports,
//! the faults they meet in production, and the oracle that says what must be stored afterwards.
//!
//! Everything started here ends with the test process, however that ends (see [`os::Process`]).

pub mod binary;
mod cache;
pub mod certificates;
pub mod environment;
pub mod gateway;
pub mod generator;
pub mod http;
pub mod https;
pub mod kafka;
pub mod kube;
pub mod load;
pub mod metrics;
pub mod mount;
pub mod oracle;
pub mod os;
pub mod otlp;
pub mod pipeline;
pub mod postgres;
pub mod proxy;
pub mod schemathesis;
pub mod screen;
pub mod secured;
pub mod service;
pub mod shared;
pub mod soak;
pub mod stages;
pub mod stream;
mod wait;

pub use wait::eventually;
