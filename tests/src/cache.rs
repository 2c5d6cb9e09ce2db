//! Where `tests/setup.sh` keeps what it has fetched.

use std::{env, path::PathBuf};

use anyhow::{Context, Result};

/// The project's directory in the user's cache.
pub(crate) fn directory() -> Result<PathBuf> {
    let cache = match env::var_os("XDG_CACHE_HOME").filter(|cache| !cache.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => {
            let home = env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?;
            PathBuf::from(home).join(".cache")
        }
    };
    Ok(cache.join("kubernaut-audit"))
}
