//! Logs: on stderr, for people on a terminal, as JSON everywhere else.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::terminal;

/// Libraries whose `info` is about themselves; naming one in the filter brings it back.
const QUIET: &str = "refinery_core=warn,tokio_postgres=warn";

/// How much is logged, and in what form.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Logging")]
pub struct LogOptions {
    /// What to log: error, warn, info, debug, trace, or directives such as info,rdkafka=debug
    #[arg(long, env = "AUDIT_LOG", default_value = "info", value_name = "FILTER", value_parser = filter_text, global = true)]
    pub log: String,

    /// Form of the log lines [default: text on a terminal, else json]
    #[arg(long, env = "AUDIT_LOG_FORMAT", value_name = "FORMAT", global = true)]
    pub log_format: Option<LogFormat>,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `--log` is not a filter.
    #[error("--log (AUDIT_LOG) is not a filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in this process already collects the logs.
    #[error("logging was started twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logging, for the whole process; what libraries say through the `log` crate is taken in as well.
///
/// # Errors
/// [`LogError`] for a bad filter or when called twice.
pub fn init(options: &LogOptions) -> Result<(), LogError> {
    use tracing_subscriber::util::SubscriberInitExt;

    let on_terminal = std::io::stderr().is_terminal();
    let default = if on_terminal { LogFormat::Text } else { LogFormat::Json };
    let filter = EnvFilter::try_new(format!("{QUIET},{}", options.log))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(terminal::stderr);
    match options.log_format.unwrap_or(default) {
        LogFormat::Text => logs.with_ansi(on_terminal).finish().try_init(),
        LogFormat::Json => {
            logs.json().flatten_event(true).with_current_span(false).finish().try_init()
        }
    }?;
    Ok(())
}

fn filter_text(text: &str) -> Result<String, tracing_subscriber::filter::ParseError> {
    EnvFilter::try_new(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked_when_options_are_read() {
        assert!(filter_text("info,rdkafka=debug").is_ok());
        assert!(filter_text("info,rdkafka=loud").is_err());
    }
}
