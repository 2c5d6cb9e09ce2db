//! Files that take effect when they change, without a restart.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use audit_runtime::admin::Health;
use audit_runtime::exit::UsageError;
use prometheus::{IntCounterVec, Opts, Registry};
use sha2::{Digest, Sha256};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often files are looked at. A mounted Kubernetes secret changes by the swap of a symbolic link above its files,
/// which no watch of the files themselves tells.
const INTERVAL: Duration = Duration::from_secs(2);

/// A file that an option names.
#[derive(Debug, Clone)]
pub(super) struct NamedFile {
    /// Flag and variable, for messages.
    pub(super) option: &'static str,
    pub(super) path: PathBuf,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("{}, given by {option}: {reason}", path.display())]
pub(super) struct FileError {
    option: &'static str,
    path: PathBuf,
    reason: String,
}

impl NamedFile {
    pub(super) fn error(&self, reason: impl Into<String>) -> FileError {
        FileError { option: self.option, path: self.path.clone(), reason: reason.into() }
    }

    /// Says so when everybody on this machine may read a secret.
    pub(super) fn warn_if_readable_by_all(&self) {
        const READ_BY_OTHERS: u32 = 0o004;
        if fs::metadata(&self.path).is_ok_and(|file| file.permissions().mode() & READ_BY_OTHERS > 0)
        {
            tracing::warn!(path = %self.path.display(), "everybody on this machine may read this secret: chmod o-r");
        }
    }

    fn read(&self) -> Result<Vec<u8>, FileError> {
        fs::read(&self.path).map_err(|error| self.error(error.to_string()))
    }
}

/// Files that only together mean something, and what makes them a `T`.
#[derive(Debug)]
pub(super) struct Files<T, const N: usize> {
    /// What they are, in logs, conditions and `kubernaut_audit_file_reloads_total{file}`.
    pub(super) name: &'static str,
    pub(super) files: [NamedFile; N],
    pub(super) load: Load<T, N>,
}

/// From the files and their contents.
type Load<T, const N: usize> = fn(&[NamedFile; N], [Vec<u8>; N]) -> Result<T, FileError>;

impl<T, const N: usize> Files<T, N> {
    fn read(&self) -> Result<[Vec<u8>; N], FileError> {
        let mut contents = [const { Vec::new() }; N];
        for (file, content) in self.files.iter().zip(&mut contents) {
            *content = file.read()?;
        }
        Ok(contents)
    }

    fn load(&self, contents: Result<[Vec<u8>; N], FileError>) -> Result<T, FileError> {
        (self.load)(&self.files, contents?)
    }

    /// Whether their content is of use.
    pub(super) fn check(&self) -> Result<(), UsageError> {
        Ok(self.load(self.read()).map(drop)?)
    }
}

impl From<FileError> for UsageError {
    fn from(error: FileError) -> Self {
        Self(format!("cannot use {error}"))
    }
}

/// Looks after files for as long as their content is in use.
#[derive(Debug, Clone)]
pub(super) struct Reloader {
    health: Health,
    reloads: IntCounterVec,
}

impl Reloader {
    pub(super) fn new(health: Health, registry: &Registry) -> Result<Self, prometheus::Error> {
        let reloads = IntCounterVec::new(
            Opts::new(
                "kubernaut_audit_file_reloads_total",
                "Changed files read again, by what came of it: loaded, or refused and the old content kept",
            ),
            &["file", "outcome"],
        )?;
        registry.register(Box::new(reloads.clone()))?;
        Ok(Self { health, reloads })
    }

    /// Loads the files, and again whenever their content has changed or on SIGHUP. Content that is no good does not
    /// replace what was loaded before.
    pub(super) fn start<T: Send + Sync + 'static, const N: usize>(
        &self,
        files: Files<T, N>,
    ) -> anyhow::Result<watch::Receiver<Arc<T>>> {
        let contents = files.read();
        let seen = mark(&contents);
        let loaded = files.load(contents).map_err(UsageError::from)?;
        let (current, receiver) = watch::channel(Arc::new(loaded));
        for outcome in ["loaded", "refused"] {
            self.reloads.with_label_values(&[files.name, outcome]);
        }
        let hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
        tokio::spawn(self.clone().watch(files, seen, current, hangup));
        Ok(receiver)
    }

    async fn watch<T: Send + Sync + 'static, const N: usize>(
        self,
        files: Files<T, N>,
        mut seen: [u8; 32],
        current: watch::Sender<Arc<T>>,
        mut hangup: tokio::signal::unix::Signal,
    ) {
        let files = Arc::new(files);
        loop {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                _ = hangup.recv() => {}
                () = current.closed() => return,
            }
            let looking = Arc::clone(&files);
            // A file system that hangs must not hold up requests.
            let Ok(contents) = tokio::task::spawn_blocking(move || looking.read()).await else {
                continue;
            };
            let found = mark(&contents);
            if found == seen {
                continue;
            }
            seen = found;
            self.settle(files.name, files.load(contents), &current);
        }
    }

    fn settle<T>(&self, name: &str, loaded: Result<T, FileError>, current: &watch::Sender<Arc<T>>) {
        let (outcome, condition) = match loaded {
            Ok(loaded) => {
                current.send_replace(Arc::new(loaded));
                tracing::info!("loaded the changed {name}");
                ("loaded", None)
            }
            Err(error) => {
                tracing::warn!(%error, "the changed {name} cannot be used: what was loaded before stays in use");
                ("refused", Some(format!("cannot be used: {error}")))
            }
        };
        self.reloads.with_label_values(&[name, outcome]).inc();
        self.health.set_condition(name, condition);
    }
}

/// Tells one content from another without keeping secrets: their hash, or that of the reason why there is none.
fn mark<const N: usize>(contents: &Result<[Vec<u8>; N], FileError>) -> [u8; 32] {
    let mut hash = Sha256::new();
    match contents {
        Ok(contents) => contents.iter().for_each(|content| hash.update(Sha256::digest(content))),
        Err(error) => hash.update(error.to_string()),
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn number(path: PathBuf) -> Files<u32, 1> {
        Files {
            name: "number",
            files: [NamedFile { option: "--number", path }],
            load: |[file], [content]| {
                let number = String::from_utf8_lossy(&content).parse();
                number.map_err(|_| file.error("not a number"))
            },
        }
    }

    #[tokio::test]
    async fn what_changes_is_loaded_and_what_is_no_good_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("number");
        let (health, registry) = (Health::new(), Registry::new());
        let reloader = Reloader::new(health.clone(), &registry).unwrap();
        let count = |outcome| reloader.reloads.with_label_values(&["number", outcome]).get();

        let missing = reloader.start(number(path.clone())).unwrap_err().to_string();
        assert!(
            missing.starts_with(&format!(
                "cannot use {}, given by --number: No such file",
                path.display()
            )),
            "{missing}"
        );
        fs::write(&path, "1").unwrap();
        let mut current = reloader.start(number(path.clone())).unwrap();
        assert_eq!(**current.borrow_and_update(), 1);

        fs::write(&path, "2").unwrap();
        tokio::time::timeout(LONG, current.changed()).await.unwrap().unwrap();
        assert_eq!((**current.borrow_and_update(), count("loaded"), count("refused")), (2, 1, 0));

        let refused = async |times| {
            while count("refused") < times {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        fs::write(&path, "two").unwrap();
        tokio::time::timeout(LONG, refused(1)).await.unwrap();
        fs::remove_file(&path).unwrap();
        tokio::time::timeout(LONG, refused(2)).await.unwrap();
        assert_eq!((**current.borrow(), count("loaded")), (2, 1));
        assert!(format!("{health:?}").contains("--number: No such file"), "{health:?}");

        fs::write(&path, "2").unwrap();
        tokio::time::timeout(LONG, current.changed()).await.unwrap().unwrap();
        assert!(!format!("{health:?}").contains("--number"), "{health:?}");
    }
}
