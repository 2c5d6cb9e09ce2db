//! Where lines come from, what is said about them, and that a dry run needs no Kafka.

use std::path::Path;

use anyhow::{Context, Result};
use audit_schema::topic::MAX_EVENT_BYTES;
use audit_tests::{
    binary::{Binary, Output},
    generator::Generator,
    os::{Launch, Process, free_port},
    shared,
};
use chrono::Utc;
use serde_json::json;

use super::{Lines, publish, summary};

const SEED: u64 = 0x0A0D_2111;

fn events(count: usize) -> Vec<Vec<u8>> {
    let events = Generator::new(SEED, Utc::now()).events(count);
    events.iter().map(|event| [event.value().as_slice(), b"\n"].concat()).collect()
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_refused() -> Result<()> {
    let mut lines = events(100);
    lines[16] = br#"{"remediation_id":"r","workflow_name":"w","workflow_version":"v",
        "outcome":"failed","step_executions":[{},{},{},{"duration":"3s"}]}"#
        .iter()
        .copied()
        .filter(|byte| *byte != b'\n')
        .chain(*b"\n")
        .collect();
    lines[40] = vec![b'x'; 2 * MAX_EVENT_BYTES];
    lines[40].push(b'\n');
    let lines = Lines::write(lines)?;
    let nowhere = format!("127.0.0.1:{}", free_port());

    let output =
        publish(&lines.path).args(["--dry-run"]).env("AUDIT_BROKERS", nowhere).run().await?;
    assert_eq!(output.code, Some(3), "{}", output.stderr);
    let result = summary(&output.stdout)?;
    let counts = ["events", "valid", "published", "refused", "next_line"].map(|name| &result[name]);
    assert_eq!(counts, [&json!(100), &json!(98), &json!(0), &json!(2), &json!(101)]);
    let told: Vec<&str> = output.stderr.lines().filter(|line| line.contains("\"ERROR\"")).collect();
    assert_eq!(told.len(), 2, "{}", output.stderr);
    assert!(told[0].contains("line 17: step_executions[3].duration: "), "{}", told[0]);
    assert!(told[1].contains("line 41: ") && told[1].contains("too_large"), "{}", told[1]);
    Ok(())
}

#[tokio::test]
async fn standard_input_is_imported_from_a_line_on() -> Result<()> {
    let kafka = shared::kafka().await?;
    let topic = shared::unique("stdin");
    kafka.create_audit_topic(&topic, 2).await?;
    let lines = Lines::write(events(500))?;

    let import = publish(Path::new("-"))
        .args(["--from-line", "101", "--source", "/clusters/test"])
        .stdin(&lines.path)
        .env("AUDIT_BROKERS", kafka.bootstrap())
        .env("AUDIT_TOPIC", &topic);
    let result = summary(&import.run().await?.success()?)?;
    assert_eq!(result["published"], 400, "{result}");
    assert_eq!(result["next_line"], 501, "{result}");
    let records = kafka.read_all(&topic).await?;
    assert_eq!(records.len(), 400);
    for record in records {
        let source = record.headers.iter().find(|(name, _)| name == "ce_source");
        let source = source.and_then(|(_, value)| value.as_deref()).context("no source")?;
        assert_eq!(source, b"/clusters/test");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_imported_is_one_clear_line() -> Result<()> {
    let lines = Lines::write(events(3))?;
    let missing = lines.beside("missing").display().to_string();
    let directory = lines.beside("").display().to_string();
    let file = lines.path.display().to_string();
    let cases: [(&[&str], &[&str]); 7] = [
        (&[], &["FILE"]),
        (&[&missing], &[&missing, "No such file"]),
        (&[&directory], &[&directory, "is a directory"]),
        (&[&file, "--from-line", "5"], &["--from-line 5", "at most 4"]),
        (&[&file, "--from-line", "0"], &["--from-line", "0"]),
        (&[&file, "--errors", &directory], &["--errors", &directory]),
        (&[&file, "--errors", &file], &["--errors", "another file"]),
    ];
    for (args, words) in cases {
        let args = ["publish", "--dry-run"].iter().chain(args).copied();
        let output = Binary::new("audit-producer").args(args).run().await?;
        one_line(&output, 2, words);
    }

    let nowhere = format!("127.0.0.1:{}", free_port());
    let output = publish(&lines.path).env("AUDIT_BROKERS", &nowhere).run().await?;
    one_line(&output, 1, &["cannot reach Kafka", &nowhere, "--brokers"]);
    let brokers = shared::kafka().await?.bootstrap();
    let no_topic = publish(&lines.path).env("AUDIT_BROKERS", brokers).env("AUDIT_TOPIC", "none");
    one_line(&no_topic.run().await?, 1, &["no topic none", "topic create"]);
    Ok(())
}

#[track_caller]
fn one_line(output: &Output, code: i32, words: &[&str]) {
    let Output { command, stdout, stderr, .. } = output;
    assert_eq!(output.code, Some(code), "{command}: {stderr}");
    assert_eq!(stdout, "", "{command}");
    assert_eq!(stderr.lines().count(), 1, "{command}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in {stderr:?}");
    }
}

/// On a terminal, which `script` of util-linux pretends to be, there is a bar, and log lines do not tear it.
#[tokio::test]
async fn a_terminal_shows_a_bar() -> Result<()> {
    let mut lines = events(2_000);
    lines[1_000] = b"{}\n".to_vec();
    let lines = Lines::write(lines)?;
    let typescript = lines.beside("typescript");
    let binary = Binary::new("audit-producer").path()?;
    let mut script = Launch::new("script", lines.directory.path(), "script");
    let command = format!("{} publish {} --dry-run", binary.display(), lines.path.display());
    script.args = ["-qec", &command, &typescript.display().to_string()].map(str::to_owned).to_vec();
    let script = Process::spawn(script)?;
    let status = script.wait(std::time::Duration::from_secs(180)).await?;
    let screen = std::fs::read_to_string(&typescript)?;
    assert_eq!(status.code(), Some(3), "{screen}");
    // How far it is when it is drawn first depends on the machine.
    let bar =
        |line: &str| ["%, line ", " lines/s, ", " left"].iter().all(|part| line.contains(part));
    assert!(screen.split(['\r', '\n']).any(bar), "{screen}");
    let (before, _) = screen.split_once("line 1001: ").context("line 1001 is not told")?;
    let torn = before.rsplit(['\r', '\n']).next().is_some_and(|line| line.contains(" left"));
    assert!(!torn, "{screen}");
    assert!(screen.contains("EVENTS"), "{screen}");
    Ok(())
}
