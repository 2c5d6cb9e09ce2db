//! Standard error, where log lines and a progress bar share a terminal without tearing each other.

use std::io::{self, Write};
use std::sync::{PoisonError, RwLock};

use indicatif::ProgressBar;

static BAR: RwLock<Option<ProgressBar>> = RwLock::new(None);

/// A progress bar on the terminal; it is taken away when this is dropped.
#[derive(Debug)]
#[must_use = "the bar is taken away when this is dropped"]
pub struct Shown(ProgressBar);

/// Keeps `bar` below everything that is written through [`stderr`], in place of a bar shown before.
pub fn show(bar: ProgressBar) -> Shown {
    *BAR.write().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
    Shown(bar)
}

impl Drop for Shown {
    fn drop(&mut self) {
        *BAR.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.finish_and_clear();
    }
}

/// Standard error for whole lines: each write goes above the bar, if there is one.
pub fn stderr() -> impl Write {
    Stderr
}

struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &*BAR.read().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(|| io::stderr().write(bytes)),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
