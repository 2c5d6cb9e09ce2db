//! A disk that can be filled and freed.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::PathBuf,
    process::Command,
    sync::PoisonError,
};

use anyhow::{Context, Result, bail};

use super::{PostgresServer, SERVER_DEADLINE};
use crate::os::{Launch, Process, Reaper};

/// A tablespace on a file system of its own, limited in size. The log of the server is elsewhere,
/// so a full disk fails statements (SQLSTATE 53100) and does not stop the server.
#[derive(Debug)]
pub struct SmallDisk {
    name: String,
    path: PathBuf,
}

impl PostgresServer {
    /// Mounts a small disk. This takes root, and a container that is allowed to mount: `None`
    /// where it is not possible, with the reason on standard error.
    ///
    /// # Errors
    /// The server refuses the tablespace.
    pub async fn small_disk(&self, megabytes: u32) -> Result<Option<SmallDisk>> {
        let name = format!("small_{}", fastrand::u32(..));
        let path = self.directory.path().join(&name);
        fs::create_dir(&path)?;
        let mut mount = Launch::new("mount", self.directory.path(), "mount");
        mount.args = ["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"]
            .map(ToOwned::to_owned)
            .into_iter()
            .chain([path.display().to_string()])
            .collect();
        let mount = Process::spawn(mount)?;
        if !mount.wait(SERVER_DEADLINE).await?.success() {
            // Past the test runner, which hides what a passing test prints: one that proves less
            // must not do so silently.
            let reason = mount.log_tail(1);
            writeln!(io::stderr(), "NOT TESTED: a full disk, as nothing can be mounted: {reason}")?;
            return Ok(None);
        }
        Reaper::unmount(&path);
        self.mounts.lock().unwrap_or_else(PoisonError::into_inner).push(Mount(path.clone()));
        self.give_to_server(&path)?;
        let create = format!("CREATE TABLESPACE {name} LOCATION '{}'", path.display());
        self.admin().await?.batch_execute(&create).await?;
        Ok(Some(SmallDisk { name, path }))
    }

    /// Creates a database whose tables are on the small disk and returns its URL.
    ///
    /// # Errors
    /// It exists, or does not fit: an empty one takes 8 MB.
    pub async fn create_database_on(&self, disk: &SmallDisk, name: &str) -> Result<String> {
        let create = format!("CREATE DATABASE \"{name}\" TABLESPACE {}", disk.name);
        self.admin().await?.batch_execute(&create).await?;
        Ok(self.url(name))
    }
}

impl SmallDisk {
    /// Takes all the space that is left.
    ///
    /// # Errors
    /// The disk fails in another way than by being full.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = File::options().create(true).append(true).open(self.ballast())?;
        // The last write must be smaller than a page of the database, or the rest has room for one.
        for block in [1 << 20, 1 << 12] {
            loop {
                match ballast.write_all(&vec![0; block]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => bail!(error),
                }
            }
        }
        Ok(())
    }

    /// Gives the space back.
    ///
    /// # Errors
    /// It was not filled.
    pub fn free(&self) -> Result<()> {
        // A process that another test is just starting may still hold the file, so that removing it frees nothing yet.
        let emptied = File::options().write(true).truncate(true).open(self.ballast());
        emptied.and_then(|_| fs::remove_file(self.ballast())).context("free the disk")
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

/// A mounted directory, unmounted on drop.
#[derive(Debug)]
pub(super) struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        // Should it fail, the reaper tries again.
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}
