//! The registry every metric of a process is in.

use prometheus::Registry;
use prometheus::process_collector::ProcessCollector;

use crate::build_info;

/// A registry with what every process has: `process_*` and `kubernaut_audit_build_info`.
///
/// # Panics
/// Never: the registry is new, so neither name can be taken.
#[must_use]
pub fn registry(program: &str) -> Registry {
    let registry = Registry::new();
    registry
        .register(Box::new(ProcessCollector::for_self()))
        .expect("a new registry has no other collector");
    build_info::register(&registry, program).expect("a new registry has no other build_info");
    registry
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_new_registry_has_process_and_build_metrics() {
        let names: Vec<_> = super::registry("audit-test")
            .gather()
            .iter()
            .map(|family| family.name().to_owned())
            .collect();
        for name in
            ["process_resident_memory_bytes", "process_open_fds", "kubernaut_audit_build_info"]
        {
            assert!(names.iter().any(|known| known == name), "{name} is not in {names:?}");
        }
    }
}
