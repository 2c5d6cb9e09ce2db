//! The connection to PostgreSQL: options, TLS, pool, schema, and what its errors mean.

mod conninfo;
mod error;
mod options;
mod pool;
mod schema;
mod tls;

pub use error::{describe, describe_pool, sqlstate};
pub use options::{DatabaseOptions, DatabaseUrl, InvalidDatabaseUrl};
pub use pool::{Database, connect_once};
pub use schema::{SchemaError, check_schema, migrate};
