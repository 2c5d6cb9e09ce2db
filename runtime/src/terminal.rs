//! What is shown on a terminal: log lines and a progress bar that share standard error without tearing each other,
//! and a page that is drawn again and again.

use std::io::{self, Write};
use std::sync::{PoisonError, RwLock};

use indicatif::ProgressBar;

/// ECMA-48: the cursor to the upper left corner; and all of the screen cleared; what is right of the cursor; below it.
const HOME: &str = "\x1b[H";
const CLEAR: &str = "\x1b[H\x1b[2J";
const CLEAR_LINE_END: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

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

/// A page on a terminal, in place of the one before.
#[derive(Debug)]
pub struct Screen<W> {
    out: W,
    is_drawn: bool,
}

impl<W: Write> Screen<W> {
    /// A screen as it was left; the first page clears it.
    pub fn new(out: W) -> Self {
        Self { out, is_drawn: false }
    }

    /// Draws a page of whole lines over the one before: nothing is cleared that is written again, so nothing flickers.
    ///
    /// # Errors
    /// The terminal cannot be written to.
    pub fn draw(&mut self, page: &str) -> io::Result<()> {
        let mut drawing = String::from(if self.is_drawn { HOME } else { CLEAR });
        for line in page.lines() {
            drawing.extend([line, CLEAR_LINE_END, "\n"]);
        }
        drawing.push_str(CLEAR_BELOW);
        self.is_drawn = true;
        self.out.write_all(drawing.as_bytes())?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_takes_the_place_of_the_one_before() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out);
        screen.draw("one\ntwo\n").unwrap();
        screen.draw("three\n").unwrap();
        let first = "\x1b[H\x1b[2Jone\x1b[K\ntwo\x1b[K\n\x1b[J";
        let second = "\x1b[Hthree\x1b[K\n\x1b[J";
        assert_eq!(String::from_utf8(out).unwrap(), format!("{first}{second}"));
    }
}
