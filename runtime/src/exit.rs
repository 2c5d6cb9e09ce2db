//! How a command ends: its exit code, and one clear line when it failed.

use std::fmt::Display;
use std::future::Future;
use std::io::Write;
use std::time::Duration;

/// What the exit code of a command says to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// 0: done.
    Fine,
    /// 1: could not be done.
    Failed,
    /// 2: the command line, environment or configuration file is wrong.
    Usage,
    /// 3: done, and what was looked at has problems.
    ProblemsFound,
}

impl From<ExitCode> for u8 {
    fn from(code: ExitCode) -> Self {
        match code {
            ExitCode::Fine => 0,
            ExitCode::Failed => 1,
            ExitCode::Usage => 2,
            ExitCode::ProblemsFound => 3,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(u8::from(code))
    }
}

/// An error of whoever started the command; ends it with [`ExitCode::Usage`].
///
/// For what only shows after parsing, such as options that do not go together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Runs a command to its end and turns its result into the exit code of the process.
///
/// An error is printed as one line, `error: what: why: why`.
pub fn run(command: impl Future<Output = anyhow::Result<ExitCode>>) -> std::process::ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return report(&anyhow::Error::new(error).context("cannot start the runtime")).into();
        }
    };
    let code = match runtime.block_on(command) {
        Ok(code) => code,
        Err(error) => report(&error),
    };
    // A blocking call that hangs (a DNS look-up, say) must not keep a finished command alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code.into()
}

/// Prints the error's line and says which code it means.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    print_error(&format_args!("{error:#}"));
    if error.chain().any(<dyn std::error::Error>::is::<UsageError>) {
        ExitCode::Usage
    } else {
        ExitCode::Failed
    }
}

/// Writes `error: ..` to stderr, on one line whatever the message holds.
pub(crate) fn print_error(message: &dyn Display) {
    // When stderr is closed there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "error: {}", one_line(&message.to_string()));
}

pub(crate) fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn errors_choose_the_code() {
        assert_eq!(report(&anyhow::anyhow!("no")), ExitCode::Failed);
        let usage = Err::<(), _>(UsageError("a and b exclude each other".into()))
            .context("cannot start")
            .unwrap_err();
        assert_eq!(report(&usage), ExitCode::Usage);
    }

    #[test]
    fn codes_are_those_scripts_rely_on() {
        let codes = [ExitCode::Fine, ExitCode::Failed, ExitCode::Usage, ExitCode::ProblemsFound];
        assert_eq!(codes.map(u8::from), [0, 1, 2, 3]);
    }

    #[test]
    fn a_message_of_many_lines_becomes_one() {
        assert_eq!(
            one_line("cannot do it:\n  because\n\n  of that\n"),
            "cannot do it: because of that"
        );
    }
}
