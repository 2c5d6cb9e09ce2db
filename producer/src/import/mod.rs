//! `audit-producer publish`: events from a file or standard input, one JSON object a line.
//!
//! ```text
//! Input ─► Lines ─► reader (a thread): Record or Invalid ─► Importer ─► Window ─► Kafka
//!                                                               └─► Refused
//! ```
//!
//! An event keeps its id, or gets the one its content means, as everywhere: importing a line twice stores it once. So an
//! import that was stopped, or killed, is run again from any line that is not behind what it had reached.

mod importer;
mod input;
mod lines;
mod progress;
mod reader;
mod refused;
mod tally;
mod window;

use std::cell::Cell;
use std::io::stdout;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use audit_runtime::exit::{ExitCode, UsageError};
use audit_runtime::format::{self, Format, Rows};
use audit_runtime::signals;

use crate::publishing::PublishingOptions;
use crate::topic::cluster::Cluster;
use importer::Importer;
use input::Input;
use refused::Refused;
use tally::{Place, Tally};
use window::Window;

/// Options of `audit-producer publish`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// File with one event a line (NDJSON); - for standard input
    #[arg(value_name = "FILE|-")]
    input: Input,

    /// Start at this line, counted from 1, as an import that was stopped says
    #[arg(long, env = "AUDIT_FROM_LINE", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), value_name = "LINE")]
    from_line: u64,

    /// Check every line, publish nothing; needs no Kafka
    #[arg(long, env = "AUDIT_DRY_RUN")]
    dry_run: bool,

    /// Write refused lines to the end of this file instead of the log: a JSON object each, with number, code, message
    /// and the line
    #[arg(long, env = "AUDIT_ERRORS", value_name = "FILE")]
    errors: Option<PathBuf>,

    /// CloudEvents source of the events: a URI reference
    #[arg(long, env = "AUDIT_SOURCE", default_value = "/import", value_name = "URI")]
    source: String,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    publishing: PublishingOptions,
}

impl Options {
    /// What keeps the import from starting whatever Kafka says.
    pub(crate) fn check(&self) -> Vec<anyhow::Error> {
        self.publishing.check(&self.source).err().map(anyhow::Error::from).into_iter().collect()
    }
}

/// Imports until the input ends, or SIGTERM or SIGINT.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let stop = signals::shutdown_token().context("cannot listen for signals")?;
    if options.errors.as_deref().is_some_and(|errors| options.input.is(errors)) {
        // Each refused line would be one more line to refuse.
        let what = "--errors must name another file than the one that is imported";
        return Err(UsageError(what.to_owned()).into());
    }
    let input = options.input.open()?;
    let refused = Refused::open(options.errors.as_deref())?;
    let publisher = if options.dry_run {
        None
    } else {
        // Before there is a publisher, whose log would tell of an unreachable broker once more.
        Cluster::new(&options.publishing.kafka)?.require(&options.publishing.kafka.topic).await?;
        Some(options.publishing.publisher(&options.source, None)?)
    };

    let begun = Instant::now();
    let start = Place { line: options.from_line, position: 0 };
    let tally = Cell::new(Tally { events: 0, published: 0, refused: 0, next: start });
    let mut importer = Importer {
        publisher,
        lines: reader::spawn(input.reader, options.from_line, options.source)
            .context("cannot start the reading thread")?,
        window: Window::new(options.publishing.queue_bytes()),
        refused,
        taken: start,
        tally: &tally,
    };
    let complete = tokio::select! {
        result = importer.run() => result.map(|()| true),
        () = stop.cancelled() => Ok(false),
        never = progress::show(&tally, input.size) => match never {},
    };
    importer.wind_up().await;

    let tally = tally.get();
    let complete = match complete {
        Err(error) if tally.next == start => return Err(error),
        complete => complete,
    };
    format::print(&mut stdout(), options.format, &Rows::of(&[tally.summary(begun.elapsed())])?)
        .context("cannot write the summary")?;
    let line = tally.next.line;
    match complete {
        Ok(true) if tally.refused == 0 => Ok(ExitCode::Fine),
        Ok(true) => Ok(ExitCode::ProblemsFound),
        Ok(false) => bail!("stopped before the end; resume with --from-line {line}"),
        Err(error) => bail!("{error:#}; resume with --from-line {line}"),
    }
}
