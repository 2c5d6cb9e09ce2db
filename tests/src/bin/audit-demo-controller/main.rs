//! `make demo-controller`: resources of a real API server finish, are deleted, and are rows nevertheless.
//!
//! ```text
//! stage ─► story ─► rows and proof
//! parts    what the resources go through
//! ```

mod stage;
mod story;

use std::process::ExitCode;

use audit_tests::screen::Screen;

#[tokio::main]
async fn main() -> ExitCode {
    let screen = Screen::new();
    screen.run(story::tell(&screen)).await
}
