//! Where the programs are.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::cache;

/// One of the programs that `tests/setup.sh` built: in `KUBE_DIR`, else in the user's cache.
pub(super) fn program(name: &str) -> Result<PathBuf> {
    let directory = cache::directory("KUBE_DIR", &format!("kube-{}", version()?))?;
    let program = directory.join(name);
    ensure!(program.is_file(), "{name} is not in {}: run `make setup`", directory.display());
    Ok(program)
}

/// The version stands once, in the module that builds it.
fn version() -> Result<&'static str> {
    const MODULE: &str = include_str!("../../kube/kube-apiserver/go.mod");
    let version = MODULE.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"));
    version.context("no version in go.mod")
}
