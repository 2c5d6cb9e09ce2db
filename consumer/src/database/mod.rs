//! The connection to PostgreSQL: options, TLS, pool, schema, and what its errors mean.

mod conninfo;
mod error;
mod options;
mod owner;
mod pool;
mod rights;
mod rows;
mod schema;
mod tls;

pub use error::{describe, describe_pool, sqlstate};
pub use options::{DatabaseOptions, DatabaseUrl, InvalidDatabaseUrl};
pub use pool::{Database, connect_once};
pub use rights::{RightsError, check_rights};
pub use rows::rows;
pub use schema::{SchemaError, check_schema, migrate};
