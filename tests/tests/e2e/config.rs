//! What is configured can be seen and checked before it is used, whatever state it is in.

mod commands;

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result};
use audit_tests::binary::{Binary, Output};
use serde_json::Value;
use tempfile::TempDir;

const BINARIES: [&str; 2] = ["audit-producer", "audit-consumer"];
const SECRET: &str = "hunter2-secret";

fn binary(name: &str, args: &str) -> Binary {
    Binary::new(name).args(args.split_whitespace())
}

fn write(directory: &TempDir, name: &str, text: &str) -> Result<String> {
    let path = directory.path().join(name);
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}

/// Value and origin that `config show --format json` gives for an option.
#[track_caller]
fn shown<'a>(settings: &'a Value, option: &str) -> (Option<&'a str>, &'a str) {
    let settings = settings.as_array().expect("an array");
    let found = settings.iter().find(|setting| setting["option"] == option);
    let setting = found.unwrap_or_else(|| panic!("{option} is not in {settings:?}"));
    (setting["value"].as_str(), setting["origin"].as_str().expect("an origin"))
}

#[track_caller]
fn problems(output: &Output, expected: &[&str]) {
    assert_eq!(output.code, Some(3), "{}: {}", output.command, output.stderr);
    assert!(!output.stdout.contains(SECRET), "{}", output.stdout);
    for part in expected {
        assert!(output.stdout.contains(part), "{part:?} is not in {:?}", output.stdout);
    }
    assert_eq!(output.stdout.lines().count(), expected.len(), "{}", output.stdout);
}

/// Options that need each other are not asked to come from the same place.
#[tokio::test]
async fn losses_and_their_reason_may_be_given_in_different_places() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = |name: &str, text: &str| write(&directory, name, text);
    let reason = file("reason.toml", "reason = 'lost with the disk'\n")?;
    let losses = file("losses.toml", "accept-lost = ['t:0:5-9', 't:1:0-3']\n")?;
    let check = |flags: &[&str]| {
        binary("audit-consumer", "config check run --topic t").args(flags.iter().copied())
    };
    let flag = ["--accept-lost", "t:0:5-9"];
    for checked in [
        check(&flag).env("AUDIT_REASON", "lost with the disk"),
        check(&flag).args(["--config", &reason]),
        check(&["--reason", "lost with the disk"]).env("AUDIT_ACCEPT_LOST", "t:0:5-9,t:1:0-3"),
        check(&["--config", &losses]).env("AUDIT_REASON", "lost with the disk"),
    ] {
        assert_eq!(checked.run().await?.success()?, "ok\n");
    }
    problems(&check(&["--config", &losses]).run().await?, &["--reason (AUDIT_REASON)"]);
    Ok(())
}

#[tokio::test]
async fn every_value_has_its_origin_and_no_secret_is_shown() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let url = format!("postgres://audit:{SECRET}@db:5432/audit?sslmode=require\n");
    let url = write(&directory, "url", &url)?;
    let toml = format!("batch_size = 7\nkafka-property = ['sasl.password={SECRET}', 'a=toml']\n");
    let toml = write(&directory, "audit.toml", &toml)?;
    let show = "config show --format json run --lanes 4 --kafka-property linger.ms=9";
    let output = binary("audit-consumer", show)
        .args(["--config", &toml])
        .env("AUDIT_LINGER", "3s")
        .env("AUDIT_DATABASE_URL_FILE", &url)
        .env("AUDIT_KAFKA_PROPERTIES", format!("a=env\nssl.key.password={SECRET}"))
        .run()
        .await?;
    assert!(!output.stdout.contains(SECRET), "{}", output.stdout);
    assert_eq!(output.stderr, "");
    let settings: Value = serde_json::from_str(&output.success()?)?;
    let shown = |option: &str| shown(&settings, option);
    let in_file = |key: &str| format!("key `{key}` in {toml}");
    assert_eq!(shown("lanes"), (Some("4"), "--lanes"));
    assert_eq!(shown("linger"), (Some("3s"), "AUDIT_LINGER"));
    assert_eq!(
        shown("database-url"),
        (
            Some("postgres://audit:********@db:5432/audit?sslmode=require"),
            &*format!("{url}, named by AUDIT_DATABASE_URL_FILE")
        )
    );
    assert_eq!(shown("batch-size"), (Some("7"), &*in_file("batch-size")));
    assert_eq!(shown("group"), (Some("kubernaut-audit"), "default"));
    assert_eq!(shown("reason"), (None, "not set"));
    assert_eq!(shown("config"), (Some(&*toml), "--config"));
    // Kafka properties are merged: each has an origin of its own.
    assert_eq!(shown("kafka-property a"), (Some("env"), "AUDIT_KAFKA_PROPERTIES"));
    assert_eq!(shown("kafka-property linger.ms"), (Some("9"), "--kafka-property"));
    assert_eq!(
        shown("kafka-property sasl.password"),
        (Some("********"), &*in_file("kafka-property"))
    );
    Ok(())
}

#[tokio::test]
async fn the_first_command_is_meant_if_none_is_named() -> Result<()> {
    for (name, flags, expected) in [
        ("audit-producer", "--log debug --deadline 1s", ("deadline", "1s", "--deadline")),
        ("audit-consumer", "--log debug --lanes 3", ("lanes", "3", "--lanes")),
    ] {
        let show = binary(name, &format!("config show --format json {flags}")).run().await?;
        let settings = serde_json::from_str(&show.success()?)?;
        let (option, value, origin) = expected;
        assert_eq!(shown(&settings, option), (Some(value), origin));
        assert_eq!(shown(&settings, "log"), (Some("debug"), "--log"));
    }
    let unknown = binary("audit-consumer", "config show rnu").run().await?;
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("`rnu`; it has run, migrate"), "{}", unknown.stderr);
    Ok(())
}

#[tokio::test]
async fn what_can_be_shown_is_shown() -> Result<()> {
    let output = binary("audit-consumer", "config show --format json dlq show")
        .env("AUDIT_CONFIG", "/nowhere.toml")
        .env("AUDIT_DATABASE_URL", format!("mysql://u:{SECRET}@h/d"))
        .run()
        .await?;
    assert_eq!(output.code, Some(3), "{}", output.stderr);
    for part in ["/nowhere.toml", "AUDIT_DATABASE_URL (not shown", "TOPIC:PARTITION:OFFSET"] {
        assert!(output.stderr.contains(part), "{part:?} is not in {:?}", output.stderr);
    }
    let settings = serde_json::from_str(&output.stdout)?;
    assert_eq!(
        shown(&settings, "database-url"),
        (Some("********"), "AUDIT_DATABASE_URL (invalid)")
    );
    assert_eq!(shown(&settings, "format"), (Some("table"), "default"));
    Ok(())
}

#[tokio::test]
async fn everything_that_is_wrong_is_found_at_once() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let toml = write(&directory, "x.toml", "batch-siez = 1\nlimit = 'few'\ngroup = ['a']\n")?;
    let check = || binary("audit-consumer", "config check");
    let output = check()
        .env("AUDIT_CONFIG", &toml)
        .env("AUDIT_LANES", "many")
        .env("AUDIT_LINGER", "soon")
        .env("AUDIT_LOG_FORMAT", "xml")
        .env("AUDIT_KAFKA_PROPERTIES", SECRET)
        .env("AUDIT_DATABASE_URL_FILE", "/nowhere/url")
        .env("AUDIT_BROKER", "kafka:9092")
        .run()
        .await?;
    problems(
        &output,
        &[
            &format!("{toml}: unknown key `batch-siez`; did you mean `batch-size`?"),
            &format!("{toml}: `group` must be one value, not an array"),
            "cannot read /nowhere/url, given by AUDIT_DATABASE_URL_FILE",
            "(from AUDIT_LANES)",
            "(from AUDIT_LINGER)",
            "(from AUDIT_LOG_FORMAT)",
            "invalid value for AUDIT_KAFKA_PROPERTIES (not shown",
            // Another command's.
            &format!("(from key `limit` in {toml})"),
            "AUDIT_BROKER; did you mean AUDIT_BROKERS?",
        ],
    );
    problems(&check().args(["run", "--lanes", "0"]).run().await?, &["'--lanes <N>'"]);
    problems(&check().args(["dlq", "show"]).run().await?, &["TOPIC:PARTITION:OFFSET"]);
    assert_eq!(check().run().await?.success()?, "ok\n");
    Ok(())
}

#[tokio::test]
async fn what_only_shows_in_use_is_found_before_it() -> Result<()> {
    let run = binary("audit-consumer", "config check run")
        .env("AUDIT_KAFKA_PROPERTIES", format!("sasl.pasword={SECRET}"))
        .env("AUDIT_DATABASE_URL", "postgres://db/a?sslmode=verify-full&sslrootcert=/nowhere.pem")
        .run()
        .await?;
    problems(&run, &["sasl.pasword", "/nowhere.pem"]);
    let assignor = "config check run --kafka-property partition.assignment.strategy=range";
    problems(&binary("audit-consumer", assignor).run().await?, &["only cooperative-sticky"]);
    for (flags, expected) in [
        ("--kafka-property acks=1", "acks must be all"),
        ("--kafka-property no.such=1", "no.such"),
        ("--source a|b", "URI reference"),
    ] {
        let check = binary("audit-producer", &format!("config check gateway {flags}"));
        problems(&check.run().await?, &[expected]);
    }
    Ok(())
}

#[tokio::test]
async fn variables_of_others_are_left_alone() -> Result<()> {
    let [producer, consumer] = [variables(BINARIES[0]).await?, variables(BINARIES[1]).await?];
    for (name, own, other) in
        [(BINARIES[0], &producer, &consumer), (BINARIES[1], &consumer, &producer)]
    {
        let mut check = binary(name, "config check");
        for variable in other.difference(own) {
            check = check.env(variable, "x");
        }
        assert_eq!(check.run().await?.success()?, "ok\n", "{name}");
    }
    Ok(())
}

async fn variables(name: &str) -> Result<BTreeSet<String>> {
    let reference = binary(name, "config reference").run().await?.success()?;
    let quoted = reference.split('`').filter(|text| text.starts_with("AUDIT_"));
    Ok(quoted.map(str::to_owned).collect())
}

#[tokio::test]
async fn a_misspelt_variable_is_warned_of_at_the_start() -> Result<()> {
    let migrate = binary("audit-consumer", "migrate --database-url postgres://127.0.0.1:9/x");
    let output = migrate.env("AUDIT_DATABASE_ULR", SECRET).run().await?;
    let mut lines = output.stderr.lines();
    let line = lines.find(|line| line.contains("AUDIT_DATABASE_ULR")).context("no warning")?;
    assert!(line.contains("WARN") && line.contains("AUDIT_DATABASE_URL?"), "{line}");
    assert!(!output.stderr.contains(SECRET), "{}", output.stderr);
    Ok(())
}

#[tokio::test]
async fn the_example_says_what_holds_without_it() -> Result<()> {
    let directory = tempfile::tempdir()?;
    for name in BINARIES {
        let text = binary(name, "config example").run().await?.success()?;
        let all = write(&directory, "example.toml", &text)?;
        let check = async |path: &str| {
            binary(name, "config check").env("AUDIT_CONFIG", path).run().await?.success()
        };
        assert_eq!(check(&all).await?, "ok\n", "{name}");

        // A key with a default follows its `#` at once.
        let line = |line: &str| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => format!("{key}\n"),
            _ => format!("{line}\n"),
        };
        let uncommented: String = text.lines().map(line).collect();
        let keys = uncommented.lines().filter(|line| line.starts_with(char::is_alphabetic)).count();
        assert!(keys > 5, "{uncommented}");
        let uncommented = write(&directory, "uncommented.toml", &uncommented)?;
        assert_eq!(check(&uncommented).await?, "ok\n", "{name}");

        let show = binary(name, "config show --format json");
        let without: Value = serde_json::from_str(&show.clone().run().await?.success()?)?;
        let with = show.env("AUDIT_CONFIG", &uncommented).run().await?.success()?;
        let with: Value = serde_json::from_str(&with)?;
        for setting in without.as_array().context("an array")? {
            let option = setting["option"].as_str().context("a name")?;
            let (value, origin) = shown(&without, option);
            if origin == "default" {
                let expected = format!("key `{option}` in {uncommented}");
                assert_eq!(shown(&with, option), (value, &*expected), "{name}");
            }
        }
    }
    Ok(())
}
