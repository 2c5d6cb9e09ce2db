//! HTTPS: the certificate, and the handshake with whichever is current.

use std::path::PathBuf;
use std::sync::Arc;

use audit_runtime::exit::UsageError;
use chrono::{DateTime, Utc};
use prometheus::core::Collector;
use prometheus::{IntCounter, PullingGauge, Registry};
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerConfig;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_cert::der::Decode;

use super::reload::{FileError, Files, NamedFile};

/// HTTPS instead of HTTP.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct TlsOptions {
    /// Serve HTTPS with this certificate: PEM, followed by its chain. Read again when it changes
    #[arg(long, env = "AUDIT_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,

    /// Private key of the certificate: PEM, not encrypted. Read again when it changes
    #[arg(long, env = "AUDIT_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
}

impl TlsOptions {
    /// The files, if HTTPS is asked for.
    pub(super) fn files(&self) -> Result<Option<Files<Certificate, 2>>, UsageError> {
        const CERT: &str = "--tls-cert (AUDIT_TLS_CERT)";
        const KEY: &str = "--tls-key (AUDIT_TLS_KEY)";
        let (certificate, key) = match (&self.tls_cert, &self.tls_key) {
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(UsageError(format!("{CERT} needs {KEY} with it"))),
            (None, Some(_)) => return Err(UsageError(format!("{KEY} needs {CERT} with it"))),
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
        };
        Ok(Some(Files {
            name: "certificate",
            files: [
                NamedFile { option: CERT, path: certificate },
                NamedFile { option: KEY, path: key },
            ],
            load: Certificate::load,
        }))
    }
}

/// A certificate with its key, ready to be served.
#[derive(Debug)]
pub(super) struct Certificate {
    config: Arc<ServerConfig>,
    /// Unknown for a certificate with dates that cannot be read.
    expires: Option<DateTime<Utc>>,
}

impl Certificate {
    fn load(
        [certificate_file, key_file]: &[NamedFile; 2],
        [certificates, key]: [Vec<u8>; 2],
    ) -> Result<Self, FileError> {
        let chain = CertificateDer::pem_slice_iter(&certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| certificate_file.error(format!("not valid PEM: {error}")))?;
        let Some(own) = chain.first() else {
            return Err(certificate_file.error("no certificate (PEM) in it"));
        };
        let expires = expiry(own);
        let key = private_key(&key).map_err(|reason| key_file.error(reason))?;
        key_file.warn_if_readable_by_all();

        let provider = Arc::new(ring::default_provider());
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|error| key_file.error(format!("cannot use this private key: {error}")))?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => key_file.error(format!(
                "does not belong to the certificate in {}",
                certificate_file.path.display()
            )),
            error => certificate_file.error(format!("cannot use this certificate: {error}")),
        })?;

        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has what TLS 1.2 and 1.3 need")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if expires.is_some_and(|expires| expires < Utc::now()) {
            tracing::warn!(path = %certificate_file.path.display(), "the certificate has expired");
        }
        Ok(Self { config: Arc::new(config), expires })
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    if is_encrypted(pem) {
        return Err("the private key is encrypted: decrypt it, as with `openssl pkey`".to_owned());
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound => "no private key (PEM) in it".to_owned(),
        error => format!("not valid PEM: {error}"),
    })
}

/// PKCS #8 says it in its label, older keys in a header (RFC 1421).
fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<DateTime<Utc>> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let seconds = certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
    DateTime::from_timestamp(seconds.try_into().ok()?, 0)
}

/// The server's side of TLS.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    current: watch::Receiver<Arc<Certificate>>,
    failures: IntCounter,
}

impl Tls {
    pub(super) fn new(
        current: watch::Receiver<Arc<Certificate>>,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let failures = IntCounter::new(
            "kubernaut_audit_tls_handshake_failures_total",
            "Connections that ended, or took too long, before TLS was agreed on",
        )?;
        let served = current.clone();
        let expires = PullingGauge::new(
            "kubernaut_audit_tls_certificate_expiry_timestamp_seconds",
            "When the certificate that is served expires, as Unix time; NaN if that cannot be read from it",
            Box::new(move || unix_time(served.borrow().expires)),
        )?;
        let collectors: [Box<dyn Collector>; 2] = [Box::new(failures.clone()), Box::new(expires)];
        collectors.into_iter().try_for_each(|collector| registry.register(collector))?;
        Ok(Self { current, failures })
    }

    /// Agrees on TLS with a client, with the certificate that is current at its beginning.
    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let config = Arc::clone(&self.current.borrow().config);
        TlsAcceptor::from(config).accept(stream).await
    }

    pub(super) fn count_failure(&self) {
        self.failures.inc();
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
fn unix_time(time: Option<DateTime<Utc>>) -> f64 {
    time.map_or(f64::NAN, |time| time.timestamp() as f64)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CertifiedKey as Made, KeyPair, date_time_ymd};

    use super::*;

    fn made() -> Made<KeyPair> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2040, 1, 1);
        let signing_key = KeyPair::generate().unwrap();
        Made { cert: params.self_signed(&signing_key).unwrap(), signing_key }
    }

    fn load(certificate: &str, key: &str) -> Result<Certificate, String> {
        let file = |option, path: &str| NamedFile { option, path: path.into() };
        let files = [file("--tls-cert", "tls.crt"), file("--tls-key", "tls.key")];
        Certificate::load(&files, [certificate.into(), key.into()])
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_pair_is_served_until_it_expires() {
        let (made, intermediate) = (made(), made());
        let chain = format!("a comment\n{}{}", made.cert.pem(), intermediate.cert.pem());
        let served = load(&chain, &made.signing_key.serialize_pem()).unwrap();
        assert_eq!(served.expires.unwrap().to_rfc3339(), "2040-01-01T00:00:00+00:00");
        assert_eq!(served.config.alpn_protocols, [b"http/1.1"]);
    }

    #[test]
    fn what_is_wrong_is_told_of_the_file_that_is_wrong() {
        let made = made();
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let other_key = KeyPair::generate().unwrap().serialize_pem();
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let of_old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let not_a_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let not_a_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (cert, key, expected) in [
            ("", key.as_str(), "tls.crt, given by --tls-cert: no certificate"),
            (&key, &key, "tls.crt, given by --tls-cert: no certificate"),
            (&cert[..cert.len() / 2], &key, "tls.crt, given by --tls-cert: "),
            (not_a_certificate, &key, "tls.crt, given by --tls-cert: cannot use this certificate"),
            (&cert, "", "tls.key, given by --tls-key: no private key"),
            (&cert, &cert, "tls.key, given by --tls-key: no private key"),
            (&cert, &key[..key.len() / 2], "tls.key, given by --tls-key: "),
            (&cert, not_a_key, "tls.key, given by --tls-key: cannot use this private key"),
            (&cert, &encrypted, "tls.key, given by --tls-key: the private key is encrypted"),
            (&cert, of_old, "tls.key, given by --tls-key: the private key is encrypted"),
            (
                &cert,
                &other_key,
                "tls.key, given by --tls-key: does not belong to the certificate in tls.crt",
            ),
        ] {
            let error = load(cert, key).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
