//! How an import is going: a bar on a terminal, else a log line every few seconds.

use std::cell::Cell;
use std::convert::Infallible;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use audit_runtime::terminal;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::tally::{Tally, per_second};

const REDRAW: Duration = Duration::from_millis(200);
const LOG: Duration = Duration::from_secs(5);

const OF_KNOWN_SIZE: &str = "{wide_bar} {percent}%, {msg}, {eta} left";
const OF_UNKNOWN_SIZE: &str = "{elapsed} {spinner} {bytes}, {msg}";

/// Shows how the tally moves, until dropped. `size` is the input's, in bytes, if known.
pub(super) async fn show(tally: &Cell<Tally>, size: Option<u64>) -> Infallible {
    if std::io::stderr().is_terminal() { draw(tally, size).await } else { log(tally).await }
}

async fn draw(tally: &Cell<Tally>, size: Option<u64>) -> Infallible {
    let begun = Instant::now();
    let template = if size.is_some() { OF_KNOWN_SIZE } else { OF_UNKNOWN_SIZE };
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    let bar = size.map_or_else(ProgressBar::no_length, ProgressBar::new).with_style(style);
    let _shown = terminal::show(bar.clone());
    let first = tally.get().next.line;
    loop {
        let Tally { refused, next, .. } = tally.get();
        let rate = HumanCount(per_second(next.line - first, begun.elapsed()));
        let refused = if refused > 0 { format!(", {refused} refused") } else { String::new() };
        bar.set_message(format!("line {}, {rate} lines/s{refused}", HumanCount(next.line)));
        bar.set_position(next.position);
        tokio::time::sleep(REDRAW).await;
    }
}

async fn log(tally: &Cell<Tally>) -> Infallible {
    let mut before = tally.get();
    loop {
        tokio::time::sleep(LOG).await;
        let now = tally.get();
        tracing::info!(
            published = now.published,
            refused = now.refused,
            lines_per_second = per_second(now.next.line - before.next.line, LOG),
            from_line = now.next.line,
            "publishing; all before from_line is done with"
        );
        before = now;
    }
}
