//! Where `tests/setup.sh` keeps what it has fetched.

use std::{env, path::PathBuf};

use anyhow::{Context, Result};

/// The directory that the variable names, else the one of this name in the user's cache.
pub(crate) fn directory(variable: &str, name: &str) -> Result<PathBuf> {
    if let Some(directory) = env::var_os(variable) {
        return Ok(PathBuf::from(directory));
    }
    let cache = match env::var_os("XDG_CACHE_HOME").filter(|cache| !cache.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => {
            let home = env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?;
            PathBuf::from(home).join(".cache")
        }
    };
    Ok(cache.join("kubernaut-audit").join(name))
}
