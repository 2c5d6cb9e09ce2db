//! A thread that reads lines and checks them, ahead of those that are being published.

use std::io::{self, BufReader, Read};

use anyhow::Context;
use audit_producer::{Identity, Record};
use audit_runtime::exit::UsageError;
use audit_schema::problem::{Code, Rejection};
use audit_schema::topic::MAX_EVENT_BYTES;
use tokio::sync::mpsc;

use super::lines::{Line, Lines};

/// How many lines are read ahead, each of which may have 1 MiB.
const AHEAD: usize = 16;
const BUFFER: usize = 256 * 1024;

const BROKEN: &str = "cannot read the input to its end";

/// A line that was looked at.
#[derive(Debug)]
pub(super) struct Checked {
    /// Counted from 1.
    pub(super) number: u64,
    /// Where the next line begins, in bytes.
    pub(super) end: u64,
    pub(super) content: Content,
}

/// What a line holds.
#[derive(Debug)]
pub(super) enum Content {
    Blank,
    Event(Record),
    Invalid(Invalid),
}

/// A line that is no valid event.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) rejection: Rejection,
    /// The line itself; `None` if it is too long to be held.
    pub(super) line: Option<Vec<u8>>,
}

/// The lines from the one of this number on. The thread ends with the input, or when the receiver is gone.
///
/// # Errors
/// When there are no threads to be had.
pub(super) fn spawn(
    input: Box<dyn Read + Send>,
    from_line: u64,
    source: String,
) -> io::Result<mpsc::Receiver<anyhow::Result<Checked>>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    std::thread::Builder::new().name("audit-import-read".to_owned()).spawn(move || {
        let lines = Lines::new(BufReader::with_capacity(BUFFER, input));
        if let Err(error) = read(lines, from_line, &source, &sender) {
            // Nobody listens any more when the import was stopped meanwhile.
            let _ = sender.blocking_send(Err(error));
        }
    })?;
    Ok(receiver)
}

fn read<R: io::BufRead>(
    mut lines: Lines<R>,
    from_line: u64,
    source: &str,
    sender: &mpsc::Sender<anyhow::Result<Checked>>,
) -> anyhow::Result<()> {
    let skipped = lines.skip_to(from_line).context(BROKEN)?;
    if skipped + 1 < from_line {
        let most = skipped + 1;
        let what = format!("--from-line {from_line} is behind the end: it can be at most {most}");
        return Err(UsageError(what).into());
    }
    while let Some(line) = lines.next().context(BROKEN)? {
        if sender.blocking_send(Ok(check(&line, source))).is_err() {
            break;
        }
    }
    Ok(())
}

fn check(line: &Line<'_>, source: &str) -> Checked {
    let content = match line.text {
        None => {
            let message = format!("the line has more than {MAX_EVENT_BYTES} bytes");
            let rejection = Rejection::new(Code::TooLarge, &message);
            Content::Invalid(Invalid { rejection, line: None })
        }
        Some(text) if text.trim_ascii().is_empty() => Content::Blank,
        Some(text) => match Record::from_json(text, Identity::Content, source) {
            Ok(record) => Content::Event(record),
            Err(rejection) => Content::Invalid(Invalid { rejection, line: Some(text.to_vec()) }),
        },
    };
    Checked { number: line.number, end: line.end, content }
}
