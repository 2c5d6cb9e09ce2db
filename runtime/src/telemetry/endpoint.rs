//! Where a collector takes spans.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::http::Uri;
use hyper_rustls::HttpsConnectorBuilder;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
};

/// How long a collector may take to accept spans, further attempts included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The base URL of a collector; spans go to `/v1/traces` below it, as the OTLP specification says of such a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

/// Why a text is no [`Endpoint`].
#[derive(Debug, thiserror::Error)]
#[error("write a base URL such as http://localhost:4318")]
pub struct NotAnEndpoint;

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| NotAnEndpoint)?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.host().is_some_and(|host| !host.is_empty());
        // A password in it would be sent nowhere; OTEL_EXPORTER_OTLP_HEADERS is the place for one.
        let plain = uri.query().is_none() && !text.contains(['@', '#']);
        if known && host && plain {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err(NotAnEndpoint)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Endpoint {
    fn traces(&self) -> String {
        format!("{self}/v1/traces")
    }

    pub(super) fn exporter(&self) -> Result<SpanExporter, ExporterBuildError> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| ExporterBuildError::InternalFailure(error.to_string()))?
            .https_or_http()
            .enable_http1()
            .build();
        SpanExporter::builder()
            .with_http()
            .with_http_client(HyperClient::new(connector, TIMEOUT, None))
            .with_endpoint(self.traces())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(TIMEOUT)
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_below_the_base_url() {
        for (url, traces) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("https://otel.example.org/in/", "https://otel.example.org/in/v1/traces"),
            ("http://[::1]:4318/", "http://[::1]:4318/v1/traces"),
        ] {
            assert_eq!(url.parse::<Endpoint>().unwrap().traces(), traces);
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for text in [
            "",
            "localhost:4318",
            "grpc://x:4317",
            "http://",
            "/v1/traces",
            "http://x/?a",
            "http://u:p@x",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
