//! How a replay is going: a bar on a terminal, else a log line every few seconds.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::time::Duration;

use audit_runtime::terminal;
use indicatif::{ProgressBar, ProgressStyle};
use tracing::info;

const REDRAW: Duration = Duration::from_millis(200);
const LOG: Duration = Duration::from_secs(5);

const TEMPLATE: &str =
    "{wide_bar} {percent}%, {human_pos} of {human_len} events, {per_sec}, {eta} left";

/// Shows how many of the events are done with, until dropped.
pub(super) async fn show(total: u64, done: impl AsyncFnMut() -> u64) -> Infallible {
    if std::io::stderr().is_terminal() { draw(total, done).await } else { log(total, done).await }
}

async fn draw(total: u64, mut done: impl AsyncFnMut() -> u64) -> Infallible {
    let style = ProgressStyle::with_template(TEMPLATE).expect("the template is a constant");
    let bar = ProgressBar::new(total).with_style(style).with_position(done().await);
    // What was done before this process says nothing of its rate.
    bar.reset_eta();
    let _shown = terminal::show(bar.clone());
    loop {
        bar.set_position(done().await);
        tokio::time::sleep(REDRAW).await;
    }
}

async fn log(total: u64, mut done: impl AsyncFnMut() -> u64) -> Infallible {
    let mut before = done().await;
    loop {
        tokio::time::sleep(LOG).await;
        let now = done().await;
        let events_per_second = now.saturating_sub(before) / LOG.as_secs();
        info!(events = now, of = total, events_per_second, "reading");
        before = now;
    }
}
