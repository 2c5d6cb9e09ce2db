//! A look at a broker's TLS. librdkafka tells that a certificate is refused, never why.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, Error, RootCertStore};

/// How long the broker may take for each step.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What a handshake with a listener showed.
#[derive(Debug)]
pub(super) enum Seen {
    /// It speaks TLS, and its certificate is good.
    Good,
    /// It speaks TLS with a certificate that is not.
    Bad(CertificateError),
    /// It answers in something else.
    NotTls,
}

/// Shakes hands with `host:port`, trusting the authorities in the PEM file, or those of this machine. Blocks. None if it
/// cannot be told.
pub(super) fn look(address: &str, authorities: Option<&Path>) -> Option<Seen> {
    let (host, _) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots(authorities))
        .with_no_client_auth();
    let mut tls = ClientConnection::new(Arc::new(config), ServerName::try_from(host).ok()?).ok()?;
    let address = address.to_socket_addrs().ok()?.next()?;
    let mut socket = TcpStream::connect_timeout(&address, TIMEOUT).ok()?;
    socket.set_read_timeout(Some(TIMEOUT)).ok()?;
    socket.set_write_timeout(Some(TIMEOUT)).ok()?;
    while tls.is_handshaking() {
        if let Err(error) = tls.complete_io(&mut socket) {
            return Some(match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(Error::InvalidCertificate(problem)) => Seen::Bad(problem.clone()),
                // Whatever it objects to, it does so in TLS.
                Some(Error::AlertReceived(_)) => Seen::Good,
                _ => Seen::NotTls,
            });
        }
    }
    Some(Seen::Good)
}

fn roots(file: Option<&Path>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    let certificates = match file {
        Some(file) => CertificateDer::pem_file_iter(file)
            .map(|certificates| certificates.flatten().collect())
            .unwrap_or_default(),
        None => rustls_native_certs::load_native_certs().certs,
    };
    store.add_parsable_certificates(certificates);
    store
}
