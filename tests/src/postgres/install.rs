//! Where the server's programs are, and who may run them.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use nix::unistd::{User, geteuid};

/// Unprivileged users that Debian and others have; the first that exists runs the server for root.
const USERS: [&str; 2] = ["postgres", "nobody"];

#[derive(Debug)]
pub(super) struct Installation {
    programs: PathBuf,
    /// User and group to run the server as, when we are root.
    pub(super) user: Option<(u32, u32)>,
}

impl Installation {
    /// The programs in `POSTGRES_BIN`, else those on the `PATH`, else the newest that the
    /// distribution has installed. `tests/setup.sh` looks in the same places.
    pub(super) fn find() -> Result<Self> {
        let programs = env::var_os("POSTGRES_BIN")
            .map(PathBuf::from)
            .or_else(on_path)
            .or_else(newest_of_distribution)
            .context("PostgreSQL's server programs are not installed: run `make setup`")?;
        ensure!(
            programs.join("initdb").is_file() && programs.join("postgres").is_file(),
            "{} holds no initdb and postgres",
            programs.display()
        );
        Ok(Self { programs, user: unprivileged_user()? })
    }

    /// A program of this installation.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Whether it has this program: some packages hold the server alone.
    pub(super) fn has(&self, name: &str) -> bool {
        self.program(name).is_file()
    }
}

fn on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let initdb =
        env::split_paths(&path).map(|entry| entry.join("initdb")).find(|file| file.is_file())?;
    // Debian links the programs from elsewhere; the server is beside the real initdb.
    Some(fs::canonicalize(initdb).ok()?.parent()?.to_owned())
}

fn newest_of_distribution() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .map(|version| Path::new("/usr/lib/postgresql").join(version.to_string()).join("bin"))
}

fn unprivileged_user() -> Result<Option<(u32, u32)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in USERS {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some((user.uid.as_raw(), user.gid.as_raw())));
        }
    }
    anyhow::bail!("PostgreSQL refuses to run as root, and none of the users {USERS:?} exists")
}
