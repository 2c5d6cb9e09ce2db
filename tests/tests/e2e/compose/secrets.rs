//! The secrets of docker-compose.yml, made by the script that makes them for its users.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use audit_tests::os::{Launch, Process};
use tempfile::TempDir;

use super::{file::repository, places::Places};

const SCRIPT: &str = "deploy/compose/secrets.sh";

/// A directory in which the script has run as it would in the repository.
pub(super) struct Secrets {
    directory: TempDir,
}

impl Secrets {
    pub(super) async fn make() -> Result<Self> {
        let secrets = Self { directory: tempfile::tempdir()? };
        let script = secrets.directory.path().join(SCRIPT);
        fs::create_dir_all(script.parent().context("it is in a directory")?)?;
        fs::copy(repository().join(SCRIPT), &script)?;
        secrets.run_script().await?;
        Ok(secrets)
    }

    async fn run_script(&self) -> Result<()> {
        let directory = self.directory.path();
        let script = Process::spawn(Launch::new(directory.join(SCRIPT), directory, "secrets"))?;
        let status = script.wait(std::time::Duration::from_secs(180)).await?;
        ensure!(status.success(), "{status}: {}", script.log_tail(20));
        Ok(())
    }

    /// Where a file of the repository would be.
    pub(super) fn path(&self, file: &Path) -> PathBuf {
        self.directory.path().join(file)
    }

    /// The content of each file that the script has made.
    pub(super) fn read(&self) -> Result<BTreeMap<PathBuf, String>> {
        let made = fs::read_dir(self.path("deploy/compose/secrets".as_ref()))?;
        made.map(|file| {
            let path = file?.path();
            Ok((path.clone(), fs::read_to_string(path)?))
        })
        .collect()
    }

    /// What a container sees as `/run/secrets`: these alone, with the hosts in them replaced.
    pub(super) fn mount(
        &self,
        container: &str,
        secrets: &[(&str, &Path)],
        places: &Places,
    ) -> Result<PathBuf> {
        let mounted = self.path(Path::new("run")).join(container);
        fs::create_dir_all(&mounted)?;
        for (name, file) in secrets {
            let content = fs::read_to_string(self.path(file)).with_context(|| {
                format!("{} is not among what the script has made", file.display())
            })?;
            fs::write(mounted.join(name), places.apply(&content))?;
        }
        Ok(mounted)
    }
}

/// Nobody but their owner comes to them, containers run by others can read them, and they stay what they are.
#[tokio::test]
async fn secrets_are_guarded_random_and_kept() -> Result<()> {
    let secrets = Secrets::make().await?;
    let made = secrets.read()?;
    let mode = |path: &Path| fs::metadata(path).map(|data| data.permissions().mode() & 0o777);
    assert_eq!(mode(&secrets.path("deploy/compose/secrets".as_ref()))?, 0o700);
    for path in made.keys() {
        assert_eq!(mode(path)?, 0o444, "{}", path.display());
    }

    secrets.run_script().await?;
    assert!(secrets.read()? == made, "a second run has changed something");

    let others = Secrets::make().await?.read()?;
    assert_eq!(others.len(), made.len());
    let reused = others.values().find(|content| made.values().any(|other| other == *content));
    assert_eq!(reused, None);
    Ok(())
}
