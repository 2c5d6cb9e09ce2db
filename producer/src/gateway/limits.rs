//! How much of the gateway its clients may use.

use std::time::Duration;

use audit_runtime::duration;

/// What clients may use of the gateway.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct Limits {
    /// Requests under way at once, each with up to 1 MiB; one more is told 429. A batch counts once for each MiB or
    /// 4096 events that it has
    #[arg(long, env = "AUDIT_MAX_CONCURRENCY", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..), value_name = "REQUESTS")]
    pub(super) max_concurrency: u32,

    /// Connections at once, idle ones included; more wait until one ends. Fewer where the hard limit on open files is
    /// lower: 256 of them are kept for everything else
    #[arg(long, env = "AUDIT_MAX_CONNECTIONS", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..), value_name = "CONNECTIONS")]
    pub(super) max_connections: u32,

    /// How long the body of a request may take to arrive
    #[arg(long, env = "AUDIT_BODY_TIMEOUT", default_value = "10s", value_parser = duration::parse, value_name = "DURATION")]
    pub(super) body_timeout: Duration,

    /// How long a connection may take for its TLS handshake, and to send the head of its next request, before it is
    /// closed
    #[arg(long, env = "AUDIT_IDLE_TIMEOUT", default_value = "30s", value_parser = duration::parse, value_name = "DURATION")]
    pub(super) idle_timeout: Duration,
}
