//! Where the database is, and how a session with it is set up.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::conninfo::take_ssl_parameters;
use super::tls::{Roots, Tls, Verify};

/// The database option every command that talks to PostgreSQL has.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseOptions {
    /// Database, as postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=..; sslmode is disable, prefer
    /// (default), require, verify-ca or verify-full, the last two with sslrootcert=FILE, or
    /// sslrootcert=system (verify-full) for the authorities this machine trusts; sslcert and sslkey are
    /// the client's
    #[arg(
        long,
        env = "AUDIT_DATABASE_URL",
        hide_env_values = true,
        default_value = "postgres://localhost:5432/kubernaut_audit",
        value_name = "URL"
    )]
    pub database_url: DatabaseUrl,
}

/// A parsed database URL. `Debug` shows no password.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: Tls,
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place())
    }
}

/// Why a database URL cannot be used. Never quotes the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// Not a URL or key=value string that PostgreSQL's clients know.
    #[error("not a PostgreSQL URL ({0}); write postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Syntax(String),
    /// An sslmode that libpq does not have.
    #[error("sslmode must be disable, prefer, require, verify-ca or verify-full, not {0:?}")]
    SslMode(String),
    /// Only one of sslcert and sslkey.
    #[error("sslcert and sslkey go together")]
    HalfClientCertificate,
    /// Nothing to verify the server with.
    #[error(
        "sslmode={0} needs sslrootcert: the file of the authority that signs the server's certificate, or system for \
         those this machine trusts"
    )]
    NoRoots(String),
    /// Anyone can have a certificate of a public authority, so that the name has to be checked.
    #[error("sslrootcert=system needs sslmode=verify-full, not {0}")]
    WeakSystemRoots(String),
}

impl std::str::FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, ssl) = take_ssl_parameters(text);
        let (mode, tls) = tls(ssl)?;
        let mut config: tokio_postgres::Config = rest
            .parse()
            .map_err(|error: tokio_postgres::Error| InvalidDatabaseUrl::Syntax(describe(&error)))?;
        config.ssl_mode(mode);
        harden(&mut config);
        Ok(Self { config, tls })
    }
}

impl DatabaseUrl {
    /// The same for sessions that only read, on a standby as well as on the primary, with this limit for a
    /// statement (zero: none).
    #[must_use]
    pub fn read_only(&self, statement_timeout: Duration) -> Self {
        let mut url = self.clone();
        // PostgreSQL has no longer one: 24 days.
        let timeout = statement_timeout.as_millis().min(i32::MAX.unsigned_abs().into());
        // The last of several settings counts.
        url.config.options(format!(
            "{} -c default_transaction_read_only=on -c statement_timeout={timeout}",
            self.config.get_options().unwrap_or_default(),
        ));
        url.config.target_session_attrs(TargetSessionAttrs::Any);
        url
    }

    /// Host, port and database, for messages.
    pub fn place(&self) -> String {
        let ports = self.config.get_ports();
        let port = |at: usize| ports.get(at).or(ports.first()).unwrap_or(&5432);
        let hosts: Vec<_> = (0..)
            .zip(self.config.get_hosts())
            .map(|(at, host)| match host {
                Host::Tcp(name) if name.contains(':') => format!("[{name}]:{}", port(at)),
                Host::Tcp(name) => format!("{name}:{}", port(at)),
                Host::Unix(path) => format!("{}:{}", path.display(), port(at)),
            })
            .collect();
        format!("{}/{}", hosts.join(","), self.config.get_dbname().unwrap_or("(default)"))
    }
}

/// What libpq's parameters mean together, by libpq's rules (those of PostgreSQL 16).
fn tls(parameters: Vec<(String, String)>) -> Result<(SslMode, Tls), InvalidDatabaseUrl> {
    let (mut mode, mut roots, mut certificate, mut key) = (None, None, None, None);
    for (name, value) in parameters {
        match name.as_str() {
            "sslmode" => mode = Some(value),
            "sslrootcert" if value == "system" => roots = Some(Roots::System),
            "sslrootcert" => roots = Some(Roots::File(value.into())),
            "sslcert" => certificate = Some(PathBuf::from(value)),
            _ => key = Some(PathBuf::from(value)),
        }
    }
    let default = if roots == Some(Roots::System) { "verify-full" } else { "prefer" };
    let mode = mode.unwrap_or_else(|| default.to_owned());
    let (ssl_mode, verify) = match (mode.as_str(), roots) {
        ("disable", _) => (SslMode::Disable, Verify::Nothing),
        ("verify-full", Some(roots)) => (SslMode::Require, Verify::Full(roots)),
        ("prefer" | "require" | "verify-ca", Some(Roots::System)) => {
            return Err(InvalidDatabaseUrl::WeakSystemRoots(mode));
        }
        ("verify-ca" | "verify-full", None) => return Err(InvalidDatabaseUrl::NoRoots(mode)),
        ("verify-ca" | "require", Some(roots)) => (SslMode::Require, Verify::Chain(roots)),
        ("require", None) => (SslMode::Require, Verify::Nothing),
        ("prefer", Some(roots)) => (SslMode::Prefer, Verify::Chain(roots)),
        ("prefer", None) => (SslMode::Prefer, Verify::Nothing),
        _ => return Err(InvalidDatabaseUrl::SslMode(mode)),
    };
    let client = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err(InvalidDatabaseUrl::HalfClientCertificate),
    };
    Ok((ssl_mode, Tls { verify, client }))
}

/// What every session has, so that a frozen client or a cut line never holds locks for long and a
/// fail-over is followed to the server that takes writes.
fn harden(config: &mut tokio_postgres::Config) {
    let session = "-c statement_timeout=60s -c idle_in_transaction_session_timeout=10s \
                   -c client_connection_check_interval=2s -c timezone=UTC";
    let options = match config.get_options() {
        Some(own) => format!("{session} {own}"),
        None => session.to_owned(),
    };
    config.options(options);
    if config.get_application_name().is_none() {
        config.application_name("kubernaut-audit-consumer");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(5));
    }
    config
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5));
    config.keepalives_retries(3).tcp_user_timeout(Duration::from_secs(15));
    if config.get_target_session_attrs() == TargetSessionAttrs::Any {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
}

fn describe(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid(url: &str) -> InvalidDatabaseUrl {
        url.parse::<DatabaseUrl>().unwrap_err()
    }

    #[test]
    fn what_sslmode_and_sslrootcert_mean_together() {
        let file = || Roots::File("/ca".into());
        for (parameters, mode, verify) in [
            ("", SslMode::Prefer, Verify::Nothing),
            ("sslmode=require", SslMode::Require, Verify::Nothing),
            ("sslmode=require&sslrootcert=/ca", SslMode::Require, Verify::Chain(file())),
            ("sslmode=verify-ca&sslrootcert=/ca", SslMode::Require, Verify::Chain(file())),
            ("sslrootcert=system", SslMode::Require, Verify::Full(Roots::System)),
            ("sslmode=disable&sslrootcert=/ca", SslMode::Disable, Verify::Nothing),
        ] {
            let url: DatabaseUrl = format!("postgres://u@db/a?{parameters}").parse().unwrap();
            assert_eq!((url.config.get_ssl_mode(), url.tls.verify), (mode, verify), "{parameters}");
        }
        let url = |parameters| invalid(&format!("postgres://u@db/a?{parameters}"));
        assert_eq!(url("sslmode=verify-full"), InvalidDatabaseUrl::NoRoots("verify-full".into()));
        assert_eq!(
            url("sslmode=verify-ca&sslrootcert=system"),
            InvalidDatabaseUrl::WeakSystemRoots("verify-ca".into())
        );
    }

    #[test]
    fn places_of_several_hosts_and_of_addresses() {
        let place = |url: &str| url.parse::<DatabaseUrl>().unwrap().place();
        assert_eq!(place("postgres://u@a:1,b:2/d"), "a:1,b:2/d");
        assert_eq!(place("host=a,b port=6432 dbname=d"), "a:6432,b:6432/d");
        assert_eq!(place("postgres://u@[::1]:6432/d"), "[::1]:6432/d");
        assert_eq!(place("postgres://u@%2Frun%2Fpg/d?sslmode=disable"), "/run/pg:5432/d");
    }

    #[test]
    fn ssl_parameters_are_taken_out_of_urls() {
        let url: DatabaseUrl =
            "postgres://u:p@db:6432/a?sslmode=verify-full&sslrootcert=/etc/my%20ca.pem&connect_timeout=3".parse().unwrap();
        assert_eq!(url.place(), "db:6432/a");
        assert_eq!(url.tls.verify, Verify::Full(Roots::File("/etc/my ca.pem".into())));
        assert_eq!(url.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(url.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
    }

    #[test]
    fn ssl_parameters_are_taken_out_of_key_value_strings() {
        let url: DatabaseUrl = "host=db user=u sslmode=disable dbname=a".parse().unwrap();
        assert_eq!(url.config.get_ssl_mode(), SslMode::Disable);
        assert_eq!(url.place(), "db:5432/a");
    }

    #[test]
    fn errors_name_the_fix_and_no_password() {
        let error = "postgres://u:s3cret@db/a?sslmode=maybe".parse::<DatabaseUrl>().unwrap_err();
        assert_eq!(error, InvalidDatabaseUrl::SslMode("maybe".into()));
        let error = "postgres://u:s3cret@db:port/a".parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(error.contains("postgres://USER") && !error.contains("s3cret"), "{error}");
        let error = "postgres://u@db/a?sslcert=x".parse::<DatabaseUrl>().unwrap_err();
        assert_eq!(error, InvalidDatabaseUrl::HalfClientCertificate);
    }

    #[test]
    fn readers_keep_the_options_of_the_url_and_add_theirs() {
        let url: DatabaseUrl = "postgres://u@db/a?options=-c%20work_mem=1MB".parse().unwrap();
        let options =
            |timeout| url.read_only(timeout).config.get_options().unwrap_or_default().to_owned();
        let short = options(Duration::from_secs(3));
        assert!(
            short.contains("work_mem=1MB") && short.ends_with("statement_timeout=3000"),
            "{short}"
        );
        assert!(options(Duration::MAX).ends_with("statement_timeout=2147483647"));
    }

    #[test]
    fn debug_shows_no_password() {
        let url: DatabaseUrl = "postgres://u:s3cret@db/a".parse().unwrap();
        assert!(!format!("{url:?}").contains("s3cret"));
    }
}
