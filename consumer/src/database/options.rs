//! Where the database is, and how a session with it is set up.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::TargetSessionAttrs;

use super::tls::{TlsFiles, Verify};

/// The database option every command that talks to PostgreSQL has.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseOptions {
    /// Database, as postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=..; sslmode up to verify-full,
    /// with sslrootcert, sslcert and sslkey
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
    pub(super) verify: Verify,
    pub(super) tls: TlsFiles,
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
}

impl std::str::FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, ssl) = take_ssl_parameters(text);
        let mut tls = TlsFiles::default();
        let mut mode = "prefer".to_owned();
        for (name, value) in ssl {
            match name.as_str() {
                "sslmode" => mode = value,
                "sslrootcert" => tls.root = Some(PathBuf::from(value)),
                "sslcert" => tls.certificate = Some(PathBuf::from(value)),
                _ => tls.key = Some(PathBuf::from(value)),
            }
        }
        if tls.certificate.is_some() != tls.key.is_some() {
            return Err(InvalidDatabaseUrl::HalfClientCertificate);
        }
        let mut config: tokio_postgres::Config = rest
            .parse()
            .map_err(|error: tokio_postgres::Error| InvalidDatabaseUrl::Syntax(describe(&error)))?;
        let (ssl_mode, verify) =
            Verify::from_ssl_mode(&mode).ok_or(InvalidDatabaseUrl::SslMode(mode))?;
        config.ssl_mode(ssl_mode);
        harden(&mut config);
        Ok(Self { config, verify, tls })
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
        let hosts: Vec<_> = self
            .config
            .get_hosts()
            .iter()
            .zip(self.config.get_ports().iter().chain(std::iter::repeat(&5432)))
            .map(|(host, port)| match host {
                tokio_postgres::config::Host::Tcp(name) => format!("{name}:{port}"),
                tokio_postgres::config::Host::Unix(path) => format!("{}:{port}", path.display()),
            })
            .collect();
        format!("{}/{}", hosts.join(","), self.config.get_dbname().unwrap_or("(default)"))
    }
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

/// Splits libpq's certificate parameters from the rest: tokio-postgres knows neither them nor `verify-*`.
fn take_ssl_parameters(text: &str) -> (String, Vec<(String, String)>) {
    const OURS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];
    let mut taken = Vec::new();
    let mut keep = |parameter: &&str| match parameter.split_once('=') {
        Some((name, value)) if OURS.contains(&name) => {
            taken.push((name.to_owned(), percent_decode(value)));
            false
        }
        _ => true,
    };
    let rest = match text.split_once('?') {
        Some((place, query)) if text.contains("://") => {
            let kept: Vec<_> = query.split('&').filter(&mut keep).collect();
            if kept.is_empty() { place.to_owned() } else { format!("{place}?{}", kept.join("&")) }
        }
        _ if text.contains("://") => text.to_owned(),
        _ => text.split_whitespace().filter(&mut keep).collect::<Vec<_>>().join(" "),
    };
    (rest, taken)
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (first, hex.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn describe(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::SslMode;

    use super::*;

    #[test]
    fn ssl_parameters_are_taken_out_of_urls() {
        let url: DatabaseUrl =
            "postgres://u:p@db:6432/a?sslmode=verify-full&sslrootcert=/etc/my%20ca.pem&connect_timeout=3".parse().unwrap();
        assert_eq!(url.place(), "db:6432/a");
        assert_eq!(url.verify, Verify::Full);
        assert_eq!(url.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(url.tls.root, Some(PathBuf::from("/etc/my ca.pem")));
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
