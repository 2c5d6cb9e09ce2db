//! Certificates made for one test, by an authority made for it.

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};

/// When every certificate made here expires, as Unix time: 2040-01-01.
pub const EXPIRES: i64 = 2_208_988_800;

/// Signs certificates; nobody trusts it by default.
#[derive(Debug)]
pub struct Authority {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its private key.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub cert_pem: String,
    /// The key, in PKCS #8.
    pub key_pem: String,
}

impl Authority {
    /// A new one, with a key of its own.
    ///
    /// # Errors
    /// No randomness.
    pub fn new() -> Result<Self> {
        let mut params = params(&[])?;
        params.distinguished_name.push(DnType::CommonName, "tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate_pem = params.self_signed(&key)?.pem();
        Ok(Self { certificate_pem, issuer: Issuer::new(params, key) })
    }

    /// Its own certificate, which clients are to trust.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A new key and certificate for a server of these names and addresses.
    ///
    /// # Errors
    /// One of them is neither.
    pub fn server(&self, names: &[&str]) -> Result<Pair> {
        let mut params = params(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Pair { cert_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
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

fn params(names: &[&str]) -> Result<CertificateParams> {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.not_after = date_time_ymd(2040, 1, 1);
    Ok(params)
}
