//! How far it is: a bar on a terminal, else a log line every few seconds.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use audit_runtime::terminal::{self, Shown};
use indicatif::{ProgressBar, ProgressStyle};

const LOG: Duration = Duration::from_secs(5);
const TEMPLATE: &str = "{wide_bar} {percent}%, {human_pos} {msg}, {per_sec}, {eta} left";

/// Shows how a count goes up.
pub struct Progress {
    bar: Option<(ProgressBar, Shown)>,
    what: &'static str,
    done: u64,
    of: u64,
    logged: Instant,
}

impl Progress {
    /// Nothing is shown until something begins.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(TEMPLATE).expect("the template is a constant");
            let bar = ProgressBar::new(0).with_style(style);
            (bar.clone(), terminal::show(bar))
        });
        Self { bar, what: "", done: 0, of: 0, logged: Instant::now() }
    }

    /// Counts something else from now on, about `of` in all.
    pub(super) fn begin(&mut self, what: &'static str, of: u64) {
        (self.what, self.done, self.of) = (what, 0, of);
        if let Some((bar, _)) = &self.bar {
            bar.reset();
            bar.set_length(of);
            bar.set_message(what);
        }
    }

    /// Counts one more.
    pub(super) fn advance(&mut self) {
        self.done += 1;
        match &self.bar {
            // It draws itself some times a second, however often it is told.
            Some((bar, _)) => bar.set_position(self.done),
            None if self.done.is_multiple_of(1_024) && self.logged.elapsed() >= LOG => {
                self.logged = Instant::now();
                tracing::info!(done = self.done, of = self.of, "{}", self.what);
            }
            None => {}
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
