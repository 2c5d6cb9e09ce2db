//! One look after the other.

use std::convert::Infallible;
use std::io::{Stdout, Write, stdout};
use std::time::Duration;

use audit_runtime::terminal::Screen;
use chrono::{SecondsFormat, Utc};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::look::{Look, Looker};
use super::page;

/// Where looks go.
pub(super) enum Output {
    /// A terminal, each in place of the one before.
    Screen(Screen<Stdout>),
    /// Pages with an empty line after each.
    Pages,
    /// JSON, one object a line.
    Lines,
}

/// Looks until dropped. While the database is away, a line that says so takes the place of each look.
///
/// # Errors
/// The first look fails, or the output cannot be written.
pub(super) async fn keep(
    looker: &Looker,
    every: Duration,
    mut output: Output,
) -> anyhow::Result<Infallible> {
    let mut before = looker.look().await?;
    output.show(&before)?;
    let mut next = interval_at(Instant::now() + every, every);
    next.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        next.tick().await;
        match looker.look().await {
            Ok(mut look) => {
                look.compare_with(&before);
                output.show(&look)?;
                before = look;
            }
            Err(error) => output.tell(&error)?,
        }
    }
}

impl Output {
    fn show(&mut self, look: &Look) -> anyhow::Result<()> {
        match self {
            Self::Screen(screen) => screen.draw(&page::of(look)?)?,
            Self::Pages => writeln!(stdout(), "{}", page::of(look)?)?,
            Self::Lines => writeln!(stdout(), "{}", serde_json::to_string(look)?)?,
        }
        Ok(())
    }

    fn tell(&mut self, error: &anyhow::Error) -> std::io::Result<()> {
        let at = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        match self {
            Self::Screen(screen) => screen.draw(&format!("{at}, {error:#}\n")),
            Self::Pages => writeln!(stdout(), "{at}, {error:#}\n"),
            Self::Lines => {
                writeln!(stdout(), "{}", json!({"at": at, "error": format!("{error:#}")}))
            }
        }
    }
}
