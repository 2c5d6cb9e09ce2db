//! Certificates as an authority of an operator would make them, good and bad ones.

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::shared::unique;

/// When every certificate made here expires but those that have expired, as Unix time: 2040-01-01.
pub const EXPIRES: i64 = 2_208_988_800;

/// A certificate authority of its own: none trusts the certificates of another.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its private key, both PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub cert_pem: String,
    /// Its key, PKCS #8.
    pub key_pem: String,
}

impl Pair {
    /// The certificate as it goes over the wire.
    ///
    /// # Errors
    /// It is not PEM.
    pub fn certificate(&self) -> Result<CertificateDer<'static>> {
        Ok(CertificateDer::from_pem_slice(self.cert_pem.as_bytes())?)
    }
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// No randomness.
    pub fn new() -> Result<Self> {
        let mut params = named(&unique("Audit Test Authority "), &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// What those who trust it have to know.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        self.0.pem()
    }

    /// For a server that is reached under these host names and IP addresses.
    ///
    /// # Errors
    /// One is neither.
    pub fn server(&self, names: &[&str]) -> Result<Pair> {
        self.sign(&server(names)?)
    }

    /// The same, whose time is over.
    ///
    /// # Errors
    /// A name is no host name.
    pub fn expired_server(&self, names: &[&str]) -> Result<Pair> {
        let mut params = server(names)?;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(&params)
    }

    /// For a client of that (common) name.
    ///
    /// # Errors
    /// No randomness.
    pub fn client(&self, name: &str) -> Result<Pair> {
        let mut params = named(name, &[])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Result<Pair> {
        let key = KeyPair::generate()?;
        let cert_pem = params.signed_by(&key, &self.0)?.pem();
        Ok(Pair { cert_pem, key_pem: key.serialize_pem() })
    }
}

fn server(names: &[&str]) -> Result<CertificateParams> {
    let mut params = named(names.first().unwrap_or(&"server"), names)?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn named(common_name: &str, names: &[&str]) -> Result<CertificateParams> {
    let mut params =
        CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_after = date_time_ymd(2040, 1, 1);
    Ok(params)
}
