//! What a PostgreSQL error says.

use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// The SQLSTATE of an error the server reported; none for a lost connection.
pub fn sqlstate(error: &Error) -> Option<&str> {
    error.code().map(SqlState::code)
}

/// The error as one line: message and SQLSTATE, without DETAIL, which may hold a row's values.
pub fn describe(error: &Error) -> String {
    match error.as_db_error() {
        Some(db) => {
            format!("{} (SQLSTATE {}){}", db.message(), db.code().code(), remedy(db.code()))
        }
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

/// Why there is no connection, as one line with its cause.
pub fn describe_pool(error: &PoolError) -> String {
    match error {
        PoolError::Backend(error) => describe(error),
        other => other.to_string(),
    }
}

fn remedy(code: &SqlState) -> &'static str {
    match *code {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "; check user and password in the database URL"
        }
        SqlState::INVALID_CATALOG_NAME => {
            "; create the database, or correct its name in the database URL"
        }
        SqlState::INSUFFICIENT_PRIVILEGE => {
            "; make this user a member of the role that has the right (docs/database-roles.md)"
        }
        SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_FUNCTION => {
            "; run `audit-consumer migrate`"
        }
        _ => "",
    }
}
