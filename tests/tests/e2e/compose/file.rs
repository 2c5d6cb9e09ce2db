//! What of docker-compose.yml the tests use. That the rest is right too is a matter of `tests/deploy/check.sh`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Result, bail};
use serde::{Deserialize, de::IgnoredAny};

/// The directory of the file, which its relative paths start from.
pub(super) fn repository() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), ".."].iter().collect()
}

pub(super) fn text() -> Result<String> {
    Ok(fs::read_to_string(repository().join("docker-compose.yml"))?)
}

#[derive(Deserialize)]
pub(super) struct File {
    pub(super) services: BTreeMap<String, Service>,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) volumes: BTreeMap<String, IgnoredAny>,
}

impl File {
    pub(super) fn read() -> Result<Self> {
        Ok(serde_saphyr::from_str(&text()?)?)
    }

    /// The services that run our binaries.
    pub(super) fn ours(&self) -> impl Iterator<Item = (&String, &Service)> {
        self.services.iter().filter(|(_, service)| service.is_ours())
    }

    /// Whether others wait for the service to end.
    pub(super) fn is_one_shot(&self, name: &str) -> bool {
        self.services.values().any(|other| {
            other
                .depends_on
                .get(name)
                .is_some_and(|it| it.condition == Condition::ServiceCompletedSuccessfully)
        })
    }
}

#[derive(Clone, Deserialize)]
pub(super) struct Service {
    pub(super) image: String,
    #[serde(default)]
    pub(super) command: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) secrets: Vec<String>,
    #[serde(default)]
    volumes: Vec<String>,
    #[serde(default)]
    ports: Vec<String>,
    #[serde(default)]
    pub(super) depends_on: BTreeMap<String, Dependency>,
    healthcheck: Option<Healthcheck>,
    deploy: Option<Deploy>,
    pub(super) restart: Option<String>,
    pub(super) stop_grace_period: Option<String>,
}

impl Service {
    pub(super) fn is_ours(&self) -> bool {
        self.image.starts_with("kubernaut-audit:")
    }

    pub(super) fn replicas(&self) -> usize {
        self.deploy.as_ref().map_or(1, |deploy| deploy.replicas)
    }

    /// What says whether it is well.
    pub(super) fn health_command(&self) -> Result<&[String]> {
        match self.healthcheck.as_ref().map(|check| check.test.as_slice()) {
            Some([kind, command @ ..]) if kind == "CMD" => Ok(command),
            other => bail!("not the command of a health check: {other:?}"),
        }
    }

    pub(super) fn has_health_check(&self) -> bool {
        self.healthcheck.is_some()
    }

    /// What is mounted where.
    pub(super) fn mounts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.volumes.iter().map(|volume| {
            let mut parts = volume.split(':');
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
        })
    }

    /// Address and port on the host, and the port of the container.
    pub(super) fn ports(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.ports.iter().map(|port| match port.split(':').collect::<Vec<_>>()[..] {
            [address, host, container] => (address, host, container),
            _ => ("", "", port.as_str()),
        })
    }
}

#[derive(Clone, Deserialize)]
pub(super) struct Dependency {
    pub(super) condition: Condition,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Condition {
    ServiceHealthy,
    ServiceCompletedSuccessfully,
}

#[derive(Clone, Deserialize)]
struct Healthcheck {
    test: Vec<String>,
}

#[derive(Clone, Deserialize)]
struct Deploy {
    replicas: usize,
}

#[derive(Deserialize)]
pub(super) struct Secret {
    pub(super) file: PathBuf,
}
