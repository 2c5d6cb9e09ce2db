//! A directory as Kubernetes mounts a secret or a config map.

use std::{
    cell::Cell,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use anyhow::Result;
use tempfile::TempDir;

/// Files behind a symbolic link `..data`, whose target is swapped in one step.
#[derive(Debug)]
pub struct Mount {
    directory: TempDir,
    version: Cell<u32>,
}

impl Mount {
    /// With these files, by name and content. Nobody else may read them.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn new(files: &[(&str, &str)]) -> Result<Self> {
        let mount = Self {
            directory: tempfile::Builder::new().prefix("audit-mount-").tempdir()?,
            version: Cell::new(0),
        };
        mount.put(files)?;
        for (name, _) in files {
            symlink(format!("..data/{name}"), mount.path(name))?;
        }
        Ok(mount)
    }

    /// Where a file is found.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts these files in place of those there are, all at once.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn put(&self, files: &[(&str, &str)]) -> Result<()> {
        let old = format!("..{}", self.version.get());
        self.version.set(self.version.get() + 1);
        let new = format!("..{}", self.version.get());
        fs::create_dir(self.path(&new))?;
        for (name, content) in files {
            let path = self.path(&new).join(name);
            fs::write(&path, content)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        }
        symlink(&new, self.path("..data_tmp"))?;
        fs::rename(self.path("..data_tmp"), self.path("..data"))?;
        fs::remove_dir_all(self.path(&old)).ok();
        Ok(())
    }
}
