//! What is wrong with a server's certificate, in words that name what to mend.

use rustls::CertificateError;

/// Why the certificate is not accepted; `roots` is the option that names the authorities trusted.
#[must_use]
pub fn problem(error: &CertificateError, roots: &str) -> String {
    use CertificateError::{
        Expired, ExpiredContext, InvalidPurpose, InvalidPurposeContext, NotValidForName,
        NotValidForNameContext, NotValidYet, NotValidYetContext, UnknownIssuer,
    };
    match error {
        UnknownIssuer => {
            format!("the server's certificate is not signed by an authority that {roots} names")
        }
        Expired | ExpiredContext { .. } => {
            "the server's certificate has expired; renew it on the server".to_owned()
        }
        NotValidYet | NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; check the clocks".to_owned()
        }
        NotValidForName => "the server's certificate is for another host name".to_owned(),
        NotValidForNameContext { expected, presented } => format!(
            "the server's certificate is for another host name: it is for {}, not for {}",
            if presented.is_empty() { "none".to_owned() } else { presented.join(", ") },
            expected.to_str()
        ),
        InvalidPurpose | InvalidPurposeContext { .. } => {
            "the server's certificate is not one for servers".to_owned()
        }
        other => format!("the server's certificate is not accepted: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_of_the_authorities_is_named() {
        let text = problem(&CertificateError::UnknownIssuer, "ssl.ca.location");
        assert!(text.contains("ssl.ca.location"), "{text}");
        let text = problem(&CertificateError::Expired, "ssl.ca.location");
        assert!(text.contains("expired") && !text.contains("ssl.ca.location"), "{text}");
    }
}
