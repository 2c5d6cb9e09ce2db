//! What to do now. Every command works as it is printed.

use std::{env, path::PathBuf};

use anyhow::{Context, Result};
use audit_schema::topic::TOPIC;
use audit_tests::{gateway::PATH, screen::Screen};

use crate::stage::Stage;

/// After everything has ended.
pub(crate) fn suggestions(screen: &Screen) -> Result<()> {
    screen
        .say("\nWhat to try next (all that the demo started has ended; nothing is left behind)")?;
    commands(
        &[
            ("the same, left running to look around in".into(), "KEEP=1 make demo".into()),
            ("other events, and more of them".into(), "SEED=7 EVENTS=200000 make demo".into()),
            ("crashes, outages and races, each with its proof".into(), "make test".into()),
            ("the consumer's options".into(), format!("{} run --help", binary("audit-consumer")?)),
            (
                "the gateway's options".into(),
                format!("{} gateway --help", binary("audit-producer")?),
            ),
        ],
        screen,
    )
}

/// While everything goes on running.
pub(crate) async fn look_around(stage: &Stage, screen: &Screen) -> Result<()> {
    let (database, brokers) = (&stage.database_url, stage.kafka.bootstrap());
    let gateway = stage.gateway.address;
    let gateway_admin = stage.gateway.service.admin();
    let consumer_admin = stage.consumers[1].admin();
    let (consumer, producer) = (binary("audit-consumer")?, binary("audit-producer")?);
    let event = r#"{"remediation_id":"rem-1","workflow_name":"hello","workflow_version":"v1","outcome":"success"}"#;
    let dead = "SELECT partition || ':' || \"offset\" FROM audit_dead_letter WHERE value IS NOT NULL ORDER BY octet_length(value) LIMIT 1";
    let dead: String = stage.database().await?.query_one(dead, &[]).await?.try_get(0)?;

    screen.say("\nIt all goes on running (Kafka, PostgreSQL, the gateway and consumer 2). Try")?;
    let psql = |sql: &str| format!("psql {database} -c \"{sql}\"");
    commands(
        &[
            ("the database".into(), format!("psql {database}")),
            ("how far it is complete".into(), psql("TABLE audit_completeness")),
            (
                "send an event: 201, and where it is".into(),
                format!(
                    "curl -i http://{gateway}{PATH} -H 'Content-Type: application/json' -d '{event}'"
                ),
            ),
            (
                "its row, a moment later".into(),
                psql(
                    "SELECT id, workflow_name, outcome, created_at FROM workflow_execution_audit WHERE workflow_name = 'hello'",
                ),
            ),
            (
                "send one that is wrong: 400, and why".into(),
                format!(
                    "curl -i http://{gateway}{PATH} -H 'Content-Type: application/json' -d '{{\"outcome\":\"exploded\"}}'"
                ),
            ),
            (
                "the dead letters".into(),
                format!("{consumer} dlq list --database-url {database} --limit 5"),
            ),
            (
                "one of them in full".into(),
                format!("{consumer} dlq show --database-url {database} {TOPIC}:{dead}"),
            ),
            (
                "whether the topic is set up as needed".into(),
                format!("{producer} topic check --brokers {brokers}"),
            ),
            (
                "the gateway's metrics, and its health".into(),
                format!(
                    "curl 'http://{gateway_admin}/metrics' 'http://{gateway_admin}/readyz?verbose'"
                ),
            ),
            (
                "consumer 2's metrics, and its health".into(),
                format!(
                    "curl 'http://{consumer_admin}/metrics' 'http://{consumer_admin}/readyz?verbose'"
                ),
            ),
        ],
        screen,
    )?;
    screen.say(format!(
        "\nKafka's brokers: {brokers}, topic {TOPIC}\nTo end it all and leave nothing behind: Ctrl-C here, or from elsewhere: kill {}",
        std::process::id()
    ))
}

fn commands(commands: &[(String, String)], screen: &Screen) -> Result<()> {
    for (what, command) in commands {
        screen.say(format!("  # {what}\n  {command}"))?;
    }
    Ok(())
}

/// A binary beside ours, as short as it can be written from the current directory.
fn binary(name: &str) -> Result<String> {
    let ours = env::current_exe().context("find the demo's own executable")?;
    let path = ours.with_file_name(name);
    let here = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    Ok(path.strip_prefix(here).unwrap_or(&path).display().to_string())
}
