//! Bad input: one clear line on standard error that says what to do, the right exit code, and no
//! secret.

use std::{io::Write, net::TcpListener, os::unix::fs::PermissionsExt};

use anyhow::Result;
use audit_tests::{
    binary::{Binary, Output},
    pipeline::Pipeline,
    postgres::PASSWORD,
    shared,
};

pub(crate) const SECRET: &str = "hunter2-secret";

/// The one line that says what is wrong.
#[track_caller]
fn complaint(output: &Output, code: i32) -> &str {
    let Output { command, stderr, stdout, .. } = output;
    assert_eq!(output.code, Some(code), "{command}: {stderr}");
    assert_eq!(stdout, "", "{command}: results of what failed");
    assert!(!stderr.contains("panicked"), "{command}: {stderr}");
    assert!(!stderr.contains(SECRET) && !stderr.contains(PASSWORD), "{command}: {stderr}");
    let mut errors = stderr.lines().filter(|line| line.starts_with("error: "));
    let line = errors.next().unwrap_or_else(|| panic!("{command}: no error line in {stderr:?}"));
    assert_eq!(errors.next(), None, "{command}: {stderr}");
    assert!(line.len() < 500, "{command}: {line}");
    line
}

/// The same, where nothing else may be on standard error.
#[track_caller]
pub(crate) fn only_complaint(output: &Output, code: i32) -> &str {
    let line = complaint(output, code);
    assert_eq!(output.stderr.lines().count(), 1, "{}: {}", output.command, output.stderr);
    line
}

#[track_caller]
pub(crate) fn names(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.contains(word), "{word:?} is not in {line:?}");
    }
}

fn consumer(args: &[&str]) -> Binary {
    Binary::new("audit-consumer").args(args.iter().copied())
}

/// What is wrong can be seen without a server: exit code 2.
#[tokio::test]
async fn usage() -> Result<()> {
    let lost = "topic:partition:from-to";
    let cases: [(&[&str], &[&str]); 16] = [
        (&["run", "--no-such-option"], &["--no-such-option"]),
        (&["run", "--batch-siez", "5"], &["--batch-siez", "--batch-size"]),
        (&["ran"], &["ran", "run"]),
        (&["run", "--batch-size", "0"], &["--batch-size", "1"]),
        (&["run", "--batch-size", "many"], &["--batch-size", "many"]),
        (&["run", "--lanes", "0"], &["--lanes", "1"]),
        (&["run", "--linger", "soon"], &["--linger", "soon", "200ms"]),
        (&["run", "--accept-lost", "t:0:9", "--reason", "r"], &["--accept-lost", lost]),
        (&["run", "--accept-lost", "t:0:9-5", "--reason", "r"], &["--accept-lost", lost]),
        (&["run", "--topic", "t", "--accept-lost", "t:0:5-9"], &["--accept-lost", "AUDIT_REASON"]),
        (&["run", "--accept-lost", "t:0:5-9", "--reason", " "], &["--reason"]),
        (&["run", "--topic", "u", "--accept-lost", "t:0:5-9", "--reason", "r"], &["--topic", "u"]),
        (&["run", "--kafka-property", "no.such=1"], &["--kafka-property", "no.such"]),
        (&["run", "--kafka-property", "auto.offset.reset=latest"], &["auto.offset.reset", "error"]),
        (&["dlq", "show", "here"], &["topic:partition:offset"]),
        (&["dlq", "list", "--format", "xml"], &["--format", "xml", "json"]),
    ];
    for (args, words) in cases {
        names(only_complaint(&consumer(args).run().await?, 2), words);
    }
    Ok(())
}

#[tokio::test]
async fn secrets_are_not_repeated() -> Result<()> {
    let bad_url = format!("postgres://user:{SECRET}@host:port/db");
    let line = consumer(&["run", "--database-url", &bad_url]).run().await?;
    names(
        only_complaint(&line, 2),
        &["database-url", "postgres://USER:PASSWORD@HOST:PORT/DATABASE"],
    );
    let line = consumer(&["migrate"]).env("AUDIT_DATABASE_URL", &bad_url).run().await?;
    names(only_complaint(&line, 2), &["PASSWORD@HOST"]);
    let bad_mode = format!("postgres://user:{SECRET}@host/db?sslmode=maybe");
    let line = consumer(&["migrate"]).env("AUDIT_DATABASE_URL", bad_mode).run().await?;
    names(only_complaint(&line, 2), &["sslmode", "maybe", "verify-full"]);
    let property = format!("ssl.key.password={SECRET},no.such={SECRET}");
    let line = consumer(&["run"]).env("AUDIT_KAFKA_PROPERTIES", property).run().await?;
    names(only_complaint(&line, 2), &["no.such"]);
    Ok(())
}

#[tokio::test]
async fn files() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name).display().to_string();
    let run = async |file: &str| consumer(&["run", "--config", file]).run().await;

    let missing = path("missing.toml");
    names(only_complaint(&run(&missing).await?, 2), &[&missing, "No such file"]);
    names(only_complaint(&run(&path("")).await?, 2), &["directory"]);

    let write = |name: &str, text: &str| -> Result<String> {
        std::fs::File::create(path(name))?.write_all(text.as_bytes())?;
        Ok(path(name))
    };
    let unknown = write("unknown.toml", "batch-siez = 5\n")?;
    names(only_complaint(&run(&unknown).await?, 2), &["batch-siez", "batch-size", &unknown]);
    let broken = write("broken.toml", "batch-size = [\n")?;
    names(only_complaint(&run(&broken).await?, 2), &[&broken]);
    let wrong = write("wrong.toml", "batch-size = 0\n")?;
    names(only_complaint(&run(&wrong).await?, 2), &["batch-size"]);
    let secret =
        write("secret.toml", &format!("database-url = \"postgres://u:{SECRET}@h:p/d\"\n"))?;
    names(only_complaint(&run(&secret).await?, 2), &["database-url"]);

    let url_file = path("no-url");
    let line = consumer(&["migrate"]).env("AUDIT_DATABASE_URL_FILE", &url_file).run().await?;
    names(only_complaint(&line, 2), &["AUDIT_DATABASE_URL_FILE", &url_file]);
    let closed = write("closed.toml", "")?;
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000))?;
    // Root reads it all the same.
    if std::fs::read(&closed).is_err() {
        names(only_complaint(&run(&closed).await?, 2), &[&closed, "ermission"]);
    }
    Ok(())
}

#[tokio::test]
async fn databases() -> Result<()> {
    let postgres = shared::postgres().await?;
    let url = postgres.create_database(&shared::unique("no_schema")).await?;
    let place = postgres.address().to_string();
    let migrate =
        async |url: &str| consumer(&["migrate"]).env("AUDIT_DATABASE_URL", url).run().await;

    let wrong = url.replace(PASSWORD, SECRET);
    names(only_complaint(&migrate(&wrong).await?, 1), &[&place, "28P01", "password"]);
    names(
        only_complaint(&migrate(&postgres.url("nowhere")).await?, 1),
        &["nowhere", "3D000", "create"],
    );
    let nobody = url.replace(&place, "127.0.0.1:9");
    names(only_complaint(&migrate(&nobody).await?, 1), &["127.0.0.1:9", "refused"]);

    let kafka = shared::kafka().await?;
    let run = async |url: &str| {
        consumer(&["run", "--startup-timeout", "1s"])
            .env("AUDIT_DATABASE_URL", url)
            .env("AUDIT_BROKERS", kafka.bootstrap())
            .env("AUDIT_ADMIN_LISTEN", "127.0.0.1:0")
            .env("AUDIT_LOG", "off")
            .run()
            .await
    };
    names(only_complaint(&run(&url).await?, 1), &["schema", "audit-consumer migrate"]);
    names(only_complaint(&run(&wrong).await?, 1), &[&place, "28P01"]);
    names(only_complaint(&run(&postgres.url("nowhere")).await?, 1), &["nowhere", "3D000"]);
    names(only_complaint(&run(&nobody).await?, 1), &["127.0.0.1:9", "refused"]);

    let list = consumer(&["dlq", "list"]).env("AUDIT_DATABASE_URL", url).run().await?;
    names(only_complaint(&list, 1), &["audit schema", "audit-consumer migrate"]);
    Ok(())
}

#[tokio::test]
async fn topics_brokers_and_ports() -> Result<()> {
    let pipeline = Pipeline::shared("cli", 1).await?;
    let run = || {
        pipeline
            .consumer()
            .env("AUDIT_ADMIN_LISTEN", "127.0.0.1:0")
            .env("AUDIT_LOG", "off")
            .env("AUDIT_STARTUP_TIMEOUT", "1s")
    };
    let unknown = run().env("AUDIT_TOPIC", "no.such.topic").run().await?;
    names(only_complaint(&unknown, 1), &["no.such.topic", "audit-producer topic create"]);
    let nobody = run().env("AUDIT_BROKERS", "127.0.0.1:9").run().await?;
    names(only_complaint(&nobody, 1), &["Kafka", "--brokers"]);

    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let busy = run().env("AUDIT_ADMIN_LISTEN", &address).run().await?;
    names(only_complaint(&busy, 1), &[&address, "already listens", "--admin-listen"]);

    let absent = pipeline.command("dlq").args(["show", "t:0:7"]).run().await?;
    names(only_complaint(&absent, 1), &["t:0:7", "dlq list --all"]);
    Ok(())
}

/// What was asked for is an answer: exit code 0, on standard output.
#[tokio::test]
async fn help_and_version() -> Result<()> {
    for args in [&["--help"][..], &["--version"], &["run", "--help"], &["dlq", "show", "--help"]] {
        let output = consumer(args).env("AUDIT_DATABASE_URL", SECRET).run().await?;
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(!output.stdout.is_empty() && !output.stdout.contains(SECRET), "{args:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_producer_complains_the_same_way() -> Result<()> {
    let kafka = shared::kafka().await?.bootstrap();
    let producer = async |args: &[&str]| {
        Binary::new("audit-producer")
            .args(args.iter().copied())
            .env("AUDIT_BROKERS", kafka)
            .run()
            .await
    };
    names(
        only_complaint(&producer(&["gateway", "--lisen", "x"]).await?, 2),
        &["--lisen", "--listen"],
    );
    names(
        only_complaint(&producer(&["gateway", "--listen", "x"]).await?, 2),
        &["--listen", "IP:PORT"],
    );
    names(only_complaint(&producer(&["gateway", "--deadline", "x"]).await?, 2), &["--deadline"]);
    let property = format!("sasl.password={SECRET},no.such={SECRET}");
    let bad = ["gateway", "--kafka-property", &property, "--kafka-property", "no.such=1"];
    names(only_complaint(&producer(&bad).await?, 2), &["no.such"]);
    let unknown = producer(&["topic", "check", "--topic", "no.such.topic"]).await?;
    names(complaint(&unknown, 1), &["no.such.topic", "topic create"]);
    let nobody = producer(&["topic", "check", "--brokers", "127.0.0.1:9"]).await?;
    names(complaint(&nobody, 1), &["127.0.0.1:9", "--brokers"]);

    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    for option in ["--listen", "--admin-listen"] {
        let mut args = vec!["gateway", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        args.extend(["--log", "off"]);
        let place = args.iter().position(|arg| *arg == option).expect("it is given") + 1;
        args[place] = &address;
        names(only_complaint(&producer(&args).await?, 1), &[&address, option]);
    }
    Ok(())
}
