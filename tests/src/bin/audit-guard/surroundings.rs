//! What counts depend on besides the code.

use std::{env::consts::ARCH, fmt, process::Command};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// Valgrind shows every program the same processor, so that which one it really is makes no difference, unless that
/// one lacks AVX2.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Surroundings {
    rustc: String,
    libc: String,
    processor: String,
}

impl Surroundings {
    pub(crate) fn now() -> Result<Self> {
        Ok(Self {
            rustc: output("rustc", "--version")?,
            // Memory is allocated and copied by it.
            libc: output("getconf", "GNU_LIBC_VERSION")?,
            processor: format!("{ARCH}{}", if has_avx2() { " with AVX2" } else { "" }),
        })
    }
}

impl fmt::Display for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.rustc, self.libc, self.processor)
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

fn output(program: &str, argument: &str) -> Result<String> {
    let output = Command::new(program)
        .arg(argument)
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    ensure!(output.status.success(), "{program} {argument} failed");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
