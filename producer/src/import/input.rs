//! Where the lines come from.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use audit_runtime::exit::UsageError;

/// `FILE` or `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    Stdin,
    File(PathBuf),
}

/// An input that can be read.
pub(super) struct Opened {
    pub(super) reader: Box<dyn Read + Send>,
    /// In bytes, where it is known.
    pub(super) size: Option<u64>,
}

impl Input {
    /// Opens it for reading.
    ///
    /// # Errors
    /// [`UsageError`], which says why.
    pub(super) fn open(&self) -> Result<Opened, UsageError> {
        let Self::File(path) = self else {
            return Ok(Opened { reader: Box::new(io::stdin()), size: None });
        };
        let refused = |why: &dyn fmt::Display| UsageError(format!("cannot read {self}: {why}"));
        let file = File::open(path).map_err(|error| refused(&error))?;
        let metadata = file.metadata().map_err(|error| refused(&error))?;
        if metadata.is_dir() {
            return Err(refused(&"it is a directory; name a file with one event a line"));
        }
        let size = metadata.is_file().then_some(metadata.len());
        Ok(Opened { reader: Box::new(file), size })
    }

    /// Whether this path leads to the same file.
    pub(super) fn is(&self, other: &Path) -> bool {
        let Self::File(path) = self else { return false };
        matches!((path.canonicalize(), other.canonicalize()), (Ok(one), Ok(two)) if one == two)
    }
}

impl FromStr for Input {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "-" { Self::Stdin } else { Self::File(text.into()) })
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}
