//! HTTP over TLS, for servers of one authority.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{certificates::Authority, http::Connection};

/// A client that trusts one authority.
#[derive(Clone)]
pub struct Https(TlsConnector);

impl Https {
    /// Over any of these versions of TLS.
    ///
    /// # Errors
    /// The authority has no usable certificate.
    pub fn new(
        authority: &Authority,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes())?)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Connects, and checks the server's certificate against its address.
    ///
    /// # Errors
    /// No connection, no TLS, or not a server of the authority.
    pub async fn connect(&self, address: SocketAddr) -> Result<Connection<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::from(address.ip());
        let stream = self.0.connect(name, stream).await;
        Ok(Connection::over(stream.with_context(|| format!("TLS with {address}"))?))
    }
}

/// The certificate the server has shown.
///
/// # Errors
/// It has shown none.
pub fn served(
    connection: &mut Connection<TlsStream<TcpStream>>,
) -> Result<CertificateDer<'static>> {
    let (_, tls) = connection.stream().get_ref();
    let chain = tls.peer_certificates().context("no certificate")?;
    Ok(chain.first().context("an empty chain")?.clone().into_owned())
}
