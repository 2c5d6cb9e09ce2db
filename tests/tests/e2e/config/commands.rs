//! Completions, manual pages, and what all commands about the program have in common.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, ensure};
use audit_tests::binary::built;

use super::{BINARIES, binary, write};

#[tokio::test]
async fn a_broken_configuration_is_no_hindrance() -> Result<()> {
    for name in BINARIES {
        for args in ["completions bash", "man", "config example", "config reference", "--help"] {
            let command = binary(name, args)
                .env("AUDIT_CONFIG", "/nowhere.toml")
                .env("AUDIT_LOG", "no=such=filter")
                .env("AUDIT_DATABASE_URL_FILE", "/nowhere");
            assert!(!command.run().await?.success()?.is_empty(), "{name} {args}");
        }
    }
    Ok(())
}

/// `AUDIT_` and the long name, so that who knows one of flag, variable and key knows all three.
#[tokio::test]
async fn every_option_has_the_variable_of_its_name() -> Result<()> {
    for name in BINARIES {
        let reference = binary(name, "config reference").run().await?.success()?;
        let options: Vec<_> = reference.lines().filter(|line| line.starts_with("| `--")).collect();
        assert!(options.len() > 20, "{name}: {reference}");
        for row in options {
            let mut quoted = row.split('`').skip(1).step_by(2);
            let flag = quoted.next().context("a flag")?;
            let long = flag.trim_start_matches("--").split(' ').next().context("a long name")?;
            let expected = match long {
                // They hold several.
                "kafka-property" => "AUDIT_KAFKA_PROPERTIES".to_owned(),
                "namespace" => "AUDIT_NAMESPACES".to_owned(),
                // The producer would take it for its AUDIT_PARTITIONS, misspelt.
                "partition" => "AUDIT_ONLY_PARTITION".to_owned(),
                long => format!("AUDIT_{}", long.replace('-', "_").to_uppercase()),
            };
            assert_eq!(quoted.next(), Some(&*expected), "{name}: {row}");
        }
    }
    Ok(())
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() -> Result<()> {
    for args in [&["config", "show"][..], &["completions", "zsh"], &["man"]] {
        let (reader, writer) = io::pipe()?;
        drop(reader);
        let output = Command::new(built("audit-consumer")?).args(args).stdout(writer).output()?;
        assert!(output.status.success(), "{args:?}: {:?}", output.status);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
    Ok(())
}

#[tokio::test]
async fn bash_completes_flags_and_commands() -> Result<()> {
    let directory = tempfile::tempdir()?;
    for (name, line, expected) in [
        ("audit-producer", "gateway --bro", "--brokers"),
        ("audit-producer", "topic cr", "create"),
        ("audit-consumer", "run --database-", "--database-url"),
        ("audit-consumer", "config sh", "show"),
    ] {
        let script = binary(name, "completions bash").run().await?.success()?;
        let path = write(&directory, name, &script)?;
        let words: Vec<_> = line.split(' ').collect();
        // As readline calls it.
        let ask = format!(
            ". {path}; COMP_WORDS=({name} {line}); COMP_CWORD={}; \
             complete=$(complete -p {name}); complete=${{complete#*-F }}; \
             ${{complete%% *}} {name} {} {}; printf '%s\n' \"${{COMPREPLY[@]}}\"",
            words.len(),
            words[words.len() - 1],
            words[words.len() - 2],
        );
        let reply = Command::new("bash").args(["--norc", "-c", &ask]).output()?;
        assert_eq!(String::from_utf8_lossy(&reply.stdout).trim(), expected, "{name} {line}");
        assert_eq!(String::from_utf8_lossy(&reply.stderr), "", "{name} {line}");
    }
    Ok(())
}

#[tokio::test]
async fn shells_accept_their_scripts() -> Result<()> {
    let directory = tempfile::tempdir()?;
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        for name in BINARIES {
            let script = binary(name, &format!("completions {shell}")).run().await?.success()?;
            let path = write(&directory, &format!("{name}.{shell}"), &script)?;
            accepts(Command::new(shell).args([check, &path]), shell)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn manual_pages() -> Result<()> {
    for (name, page, about) in [
        ("audit-producer", "audit-producer-topic-create.1", "AUDIT_REPLICATION_FACTOR"),
        ("audit-consumer", "audit-consumer-run.1", "AUDIT_LANES"),
    ] {
        let directory = tempfile::tempdir()?;
        let pages = directory.path().join("man1");
        binary(name, "man")
            .args(["--out-dir", &pages.display().to_string()])
            .run()
            .await?
            .success()?;
        assert!(fs::read_to_string(pages.join(page))?.contains(about));
        let main = fs::read_to_string(pages.join(format!("{name}.1")))?;
        assert_eq!(main, binary(name, "man").run().await?.success()?);
        for page in fs::read_dir(&pages)? {
            well_formed(&page?.path())?;
        }
    }
    Ok(())
}

fn well_formed(page: &Path) -> Result<()> {
    let text = fs::read_to_string(page)?;
    for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
        ensure!(text.contains(part), "{} has no {part}", page.display());
    }
    accepts(Command::new("groff").args(["-ww", "-man", "-Tutf8", "-z"]).arg(page), "groff")
}

/// Whether the program has nothing to say against its input; a program that is not installed is passed over.
fn accepts(command: &mut Command, name: &str) -> Result<()> {
    let output = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Past the capture of the test runner: what is not tested is to be seen.
            writeln!(io::stderr(), "SKIPPED: what {name} says, as it is not installed")?;
            return Ok(());
        }
        output => output.with_context(|| format!("cannot start {name}"))?,
    };
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && said.is_empty(), "{command:?}: {said}");
    Ok(())
}
