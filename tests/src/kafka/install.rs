//! Where the broker's jars and the Java to run them are.

use std::{env, path::PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cache;

/// The directory of the jars that `tests/setup.sh` fetched: `KAFKA_DIR`, else the user's cache.
pub(super) fn jars() -> Result<PathBuf> {
    let directory = cache::directory("KAFKA_DIR", &format!("kafka-{}", version()?))?;
    let jars = directory.join("libs");
    ensure!(jars.is_dir(), "Apache Kafka is not in {}: run `make setup`", directory.display());
    Ok(jars)
}

/// `JAVA_HOME`'s Java, else the one on the `PATH`.
pub(super) fn java() -> PathBuf {
    env::var_os("JAVA_HOME")
        .map(|home| PathBuf::from(home).join("bin/java"))
        .filter(|java| java.is_file())
        .unwrap_or_else(|| PathBuf::from("java"))
}

/// The version stands once, in the pom that fetches it.
fn version() -> Result<&'static str> {
    const POM: &str = include_str!("../../kafka/pom.xml");
    let (_, rest) = POM.split_once("<kafka.version>").context("no version in the pom")?;
    let (version, _) = rest.split_once('<').context("no version in the pom")?;
    Ok(version)
}
