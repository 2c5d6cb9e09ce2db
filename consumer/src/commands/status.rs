//! `audit-consumer status`: where every stream stands, on one screen.
//!
//! It only reads. That something is halted or behind is what it shows, not a failure of its own: `doctor` judges.

mod ends;
mod look;
mod page;
mod watch;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use audit_runtime::exit::ExitCode;
use audit_runtime::kafka::KafkaOptions;
use audit_runtime::terminal::Screen;
use audit_runtime::{duration, signals};

use self::look::Looker;
use self::watch::Output;
use crate::database::DatabaseOptions;

/// Looking more often than this would keep the database busy and tell nobody more.
const SHORTEST: Duration = Duration::from_millis(100);

/// Options of `status`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Look again and again, this often, until told to stop: seconds, or a duration such as 500ms; 2s if only the
    /// flag is given. A terminal shows the newest look, anything else gets one after the other
    #[arg(
        long,
        env = "AUDIT_WATCH",
        num_args = 0..=1,
        default_missing_value = "2s",
        value_parser = interval,
        value_name = "SECONDS|DURATION"
    )]
    watch: Option<Duration>,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Form::Table)]
    format: Form,

    #[command(flatten)]
    kafka: KafkaOptions,
    #[command(flatten)]
    database: DatabaseOptions,
}

/// The shape of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A page for people.
    Table,
    /// One object; with --watch one on each line.
    Json,
}

fn interval(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().map(Duration::from_secs);
    match seconds.or_else(|_| duration::parse(text)) {
        Ok(interval) if interval >= SHORTEST => Ok(interval),
        _ => Err("write seconds such as 5, or a duration such as 500ms, from 100ms on"),
    }
}

/// Shows the streams, once or until told to stop.
///
/// # Errors
/// The first look fails: no database, or one without our schema. Outages under `--watch` are waited out.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let looker = Looker::new(&options.kafka, &options.database.database_url).await?;
    let Some(every) = options.watch else {
        let look = looker.look().await?;
        let mut out = std::io::stdout().lock();
        match options.format {
            Form::Table => write!(out, "{}", page::of(&look)?)?,
            Form::Json => {
                serde_json::to_writer_pretty(&mut out, &look)?;
                writeln!(out)?;
            }
        }
        return Ok(ExitCode::Fine);
    };
    let stop = signals::shutdown_token()?;
    let output = match options.format {
        Form::Json => Output::Lines,
        Form::Table if std::io::stdout().is_terminal() => {
            Output::Screen(Screen::new(std::io::stdout()))
        }
        Form::Table => Output::Pages,
    };
    stop.run_until_cancelled(watch::keep(&looker, every, output)).await.transpose()?;
    Ok(ExitCode::Fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_seconds_or_a_duration() {
        assert_eq!(interval("5"), Ok(Duration::from_secs(5)));
        assert_eq!(interval("500ms"), Ok(Duration::from_millis(500)));
        for text in ["0", "99ms", "-1", "1.5", "soon", ""] {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}
