//! libpq's sslmode on rustls.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres::Socket;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How much of the server's certificate is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verify {
    /// Nothing: encrypt only.
    Nothing,
    /// The chain, not the name.
    Chain(Roots),
    /// Chain and name.
    Full(Roots),
}

/// The authorities that may have signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// Those of this machine.
    System,
    /// Those in a PEM file.
    File(PathBuf),
}

/// The client side of TLS as a URL asks for it. Files are read for each connection, as libpq does, so that renewed
/// ones are used without a restart.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) verify: Verify,
    /// Certificate chain and key of the client.
    pub(super) client: Option<(PathBuf, PathBuf)>,
}

/// Why the files a URL names cannot be used; each names its URL parameter.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    /// It cannot be read, or does not hold what it should.
    #[error("cannot read {what} from {parameter} {}: {reason}", path.display())]
    File { what: &'static str, parameter: &'static str, path: PathBuf, reason: String },
    /// libpq's rule: others on the machine may not read a private key.
    #[error(
        "sslkey {} can be read by others (mode {mode:o}): chmod 600 (for a Kubernetes secret, defaultMode 0440)",
        path.display()
    )]
    KeyIsOpen { path: PathBuf, mode: u32 },
    /// The key belongs to another certificate, or is of a kind that is not supported.
    #[error("sslkey is not the key of sslcert: {0}")]
    Mismatch(Error),
    /// No authority is there to trust.
    #[error("sslrootcert=system: this machine has no trusted authorities; name a file instead")]
    NoSystemRoots,
    /// rustls takes no authority of the file, or not our settings.
    #[error("cannot set up TLS: {0}")]
    Setup(String),
}

impl Tls {
    /// Reads the files.
    pub(super) fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let setup = |error: Error| TlsError::Setup(error.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(setup)?;
        let full = |roots: &Roots| {
            WebPkiServerVerifier::builder_with_provider(
                roots.store()?.into(),
                Arc::clone(&provider),
            )
            .build()
            .map_err(|error| TlsError::Setup(error.to_string()))
        };
        let verifier: Arc<dyn ServerCertVerifier> = match &self.verify {
            Verify::Nothing => Arc::new(Lenient { chain: None, provider }),
            Verify::Chain(roots) => {
                Arc::new(Lenient { chain: Some(full(roots)?), provider: Arc::clone(&provider) })
            }
            Verify::Full(roots) => full(roots)?,
        };
        // The verifier above is at least as strict as the sslmode asks for.
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let Some((certificate, key)) = &self.client else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates(certificate, "sslcert")?;
        builder.with_client_auth_cert(chain, private_key(key)?).map_err(TlsError::Mismatch)
    }
}

impl MakeTlsConnect<Socket> for Tls {
    type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
    type TlsConnect = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;
    type Error = TlsError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, TlsError> {
        let mut connect = MakeRustlsConnect::new(self.client_config()?);
        let Ok(connect) = MakeTlsConnect::<Socket>::make_tls_connect(&mut connect, host);
        Ok(connect)
    }
}

impl Roots {
    fn store(&self) -> Result<RootCertStore, TlsError> {
        let mut store = RootCertStore::empty();
        match self {
            Self::System => {
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if store.is_empty() {
                    return Err(TlsError::NoSystemRoots);
                }
            }
            Self::File(path) => {
                store.add_parsable_certificates(certificates(path, "sslrootcert")?);
            }
        }
        Ok(store)
    }
}

fn certificates(
    path: &Path,
    parameter: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |reason: String| TlsError::File {
        what: "certificates",
        parameter,
        path: path.to_owned(),
        reason,
    };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(error.to_string()))?;
    if found.is_empty() {
        return Err(failed("no PEM certificate in it".to_owned()));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let failed = |reason: String| TlsError::File {
        what: "a private key",
        parameter: "sslkey",
        path: path.to_owned(),
        reason,
    };
    let file = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    // As in libpq: root's files may be readable for a group, others' for their owner alone.
    let closed_to = if file.uid() == 0 { 0o037 } else { 0o077 };
    if file.mode() & closed_to != 0 {
        return Err(TlsError::KeyIsOpen { path: path.to_owned(), mode: file.mode() & 0o777 });
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            failed("no PEM key in it, or one with a passphrase".to_owned())
        }
        error => failed(error.to_string()),
    })
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
