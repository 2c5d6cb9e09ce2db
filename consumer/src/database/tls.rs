//! libpq's sslmode on rustls.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres::config::SslMode;

/// How much of the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verify {
    /// Encrypt only (`prefer`, `require`).
    Nothing,
    /// The chain, not the name (`verify-ca`).
    Chain,
    /// Chain and name (`verify-full`).
    Full,
}

impl Verify {
    /// What an sslmode means to tokio-postgres and to the certificate check.
    pub(super) fn from_ssl_mode(mode: &str) -> Option<(SslMode, Self)> {
        Some(match mode {
            "disable" => (SslMode::Disable, Self::Nothing),
            "prefer" => (SslMode::Prefer, Self::Nothing),
            "require" => (SslMode::Require, Self::Nothing),
            "verify-ca" => (SslMode::Require, Self::Chain),
            "verify-full" => (SslMode::Require, Self::Full),
            _ => return None,
        })
    }
}

/// The files a URL names.
#[derive(Debug, Clone, Default)]
pub(super) struct TlsFiles {
    pub(super) root: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// Builds the client side of TLS.
///
/// # Errors
/// A file that cannot be read or holds no certificate or key, named with its URL parameter.
pub(super) fn client_config(verify: Verify, files: &TlsFiles) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let verifier: Arc<dyn ServerCertVerifier> = match verify {
        Verify::Nothing => Arc::new(Lenient { chain: None, provider }),
        Verify::Chain | Verify::Full => {
            let roots = Arc::new(roots(files.root.as_deref())?);
            let full = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .context("cannot use the root certificates")?;
            if verify == Verify::Full {
                full
            } else {
                Arc::new(Lenient { chain: Some(full), provider })
            }
        }
    };
    // The verifier above is at least as strict as the sslmode asks for.
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    match (&files.certificate, &files.key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates(certificate, "sslcert")?;
            let key = PrivateKeyDer::from_pem_file(key).with_context(|| {
                format!("cannot read a private key from sslkey {}", key.display())
            })?;
            builder.with_client_auth_cert(chain, key).context("sslcert and sslkey do not fit")
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn roots(file: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let certificates = match file {
        Some(file) => certificates(file, "sslrootcert")?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    store.add_parsable_certificates(certificates);
    if store.is_empty() {
        bail!("no root certificates to verify the database with: name a file with sslrootcert");
    }
    Ok(store)
}

fn certificates(file: &Path, parameter: &str) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = || format!("cannot read certificates from {parameter} {}", file.display());
    let found = CertificateDer::pem_file_iter(file)
        .with_context(read)?
        .collect::<Result<Vec<_>, _>>()
        .with_context(read)?;
    if found.is_empty() {
        bail!("{}: no certificate in it", read());
    }
    Ok(found)
}

/// Checks the chain without the name, or nothing but that the server holds the key it shows.
#[derive(Debug)]
struct Lenient {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is checked after the chain: this error means that the chain is good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
