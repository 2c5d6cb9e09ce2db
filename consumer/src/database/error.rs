//! What a PostgreSQL error says.

use std::error::Error as _;

use audit_runtime::certificate;
use deadpool_postgres::PoolError;
use rustls::{AlertDescription, Error as TlsError};
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

/// The SQLSTATE of an error the server reported; none for a lost connection.
pub fn sqlstate(error: &Error) -> Option<&str> {
    error.code().map(SqlState::code)
}

/// The error as one line: message and SQLSTATE, without DETAIL, which may hold a row's values.
pub fn describe(error: &Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} (SQLSTATE {}){}", db.message(), db.code().code(), remedy(db)),
        None => match (tls_error(error), error.source()) {
            (Some(tls), _) => describe_tls(tls),
            (None, Some(source)) => {
                let source = source.to_string();
                format!("{error}: {source}{}", client_remedy(&source))
            }
            (None, None) => error.to_string(),
        },
    }
}

/// What rustls had to say, which tokio wraps into an I/O error.
fn tls_error(error: &Error) -> Option<&TlsError> {
    let io = error.source()?.downcast_ref::<std::io::Error>()?;
    io.get_ref()?.downcast_ref()
}

fn describe_tls(error: &TlsError) -> String {
    use AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRevoked, CertificateUnknown,
        UnknownCA, UnsupportedCertificate,
    };
    match error {
        TlsError::InvalidCertificate(problem) => certificate::problem(problem, "sslrootcert"),
        TlsError::AlertReceived(
            alert @ (AccessDenied
            | BadCertificate
            | CertificateExpired
            | CertificateRevoked
            | CertificateUnknown
            | UnknownCA
            | UnsupportedCertificate),
        ) => format!(
            "the server does not accept the certificate of sslcert ({alert:?}): expired, or of an authority it does \
             not know"
        ),
        other => format!("TLS failed: {other}"),
    }
}

/// Why there is no connection, as one line with its cause.
pub fn describe_pool(error: &PoolError) -> String {
    match error {
        PoolError::Backend(error) => describe(error),
        other => other.to_string(),
    }
}

fn remedy(db: &DbError) -> &'static str {
    match *db.code() {
        SqlState::INVALID_PASSWORD => "; check user and password in the database URL",
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => authorization_remedy(db.message()),
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

/// One SQLSTATE for all that `pg_hba.conf` can say; only the text tells.
fn authorization_remedy(message: &str) -> &'static str {
    let has = |part: &str| message.contains(part);
    if has("valid client certificate") {
        "; name one with sslcert and sslkey in the database URL"
    } else if has("certificate authentication failed") {
        "; the certificate of sslcert must have the user as its common name"
    } else if has("no encryption") {
        "; the server may want TLS: set sslmode=require or stricter in the database URL"
    } else if has("pg_hba.conf") {
        "; check user and database in the database URL, and the server's pg_hba.conf"
    } else {
        "; check the user in the database URL"
    }
}

/// What tokio-postgres itself objects to.
fn client_remedy(source: &str) -> &'static str {
    match source {
        "server does not support TLS" => {
            "; turn ssl on in the server, or set sslmode=disable in the database URL"
        }
        "password missing" => "; the server asks for one: put it into the database URL",
        "server did not use channel binding" => {
            "; channel_binding=require needs TLS: set sslmode=require or stricter in the database URL"
        }
        _ => "",
    }
}
