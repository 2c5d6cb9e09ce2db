//! `kubernaut_audit_build_info`: which program and version a scrape comes from.

use prometheus::{IntGaugeVec, Opts, Registry};

/// The version of every crate of the workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Registers the gauge (always 1) with labels `program` and `version`.
///
/// # Errors
/// When the registry already has it.
pub fn register(registry: &Registry, program: &str) -> Result<(), prometheus::Error> {
    let opts = Opts::new("kubernaut_audit_build_info", "Always 1; the labels say what runs");
    let gauge = IntGaugeVec::new(opts, &["program", "version"])?;
    gauge.with_label_values(&[program, VERSION]).set(1);
    registry.register(Box::new(gauge))
}
