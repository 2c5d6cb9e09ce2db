use std::io::Write;
use std::time::Duration;

use clap::Parser;

use super::*;
use crate::duration;
use crate::kafka::KafkaOptions;

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Run(Run),
    Other(Other),
}

#[derive(Debug, clap::Args)]
struct Run {
    #[command(flatten)]
    kafka: KafkaOptions,
    #[arg(long, env = "AUDIT_DEADLINE", default_value = "5s", value_parser = duration::parse)]
    deadline: Duration,
    #[arg(long, env = "AUDIT_DATABASE_URL", hide_env_values = true, value_parser = url)]
    database_url: String,
    #[arg(long, env = "AUDIT_NAMESPACES")]
    namespace: Vec<String>,
    #[arg(long, env = "AUDIT_FORCE")]
    force: bool,
}

#[derive(Debug, clap::Args)]
struct Other {
    #[arg(long, env = "AUDIT_LANES", default_value_t = 2)]
    lanes: u16,
}

fn url(text: &str) -> Result<String, String> {
    if text.starts_with("postgres") {
        Ok(text.to_owned())
    } else {
        Err("must begin with postgres://".into())
    }
}

fn read(args: &[&str], env: &[(&str, &str)]) -> Result<Cli, String> {
    let env = env.iter().copied().collect();
    let args = std::iter::once("test").chain(args.iter().copied()).map(OsString::from).collect();
    layered(args, &env).map_err(|error| error.to_string())
}

fn run(args: &[&str], env: &[(&str, &str)]) -> Run {
    let args: Vec<_> = ["run"].iter().chain(args).copied().collect();
    match read(&args, env).unwrap().command {
        Command::Run(run) => run,
        Command::Other(_) => unreachable!(),
    }
}

fn fails(args: &[&str], env: &[(&str, &str)]) -> String {
    let error = read(args, env).unwrap_err();
    assert!(!error.contains('\n'), "{error}");
    error
}

fn file(content: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

const URL: (&str, &str) = ("AUDIT_DATABASE_URL", "postgres://env");

#[test]
fn the_higher_place_wins() {
    let toml = file("deadline = '1s'\ndatabase_url = 'postgres://toml'\n");
    let secret = file("postgres://secret-file\n");
    let config = ("AUDIT_CONFIG", toml.path().to_str().unwrap());
    let named = ("AUDIT_DATABASE_URL_FILE", secret.path().to_str().unwrap());

    assert_eq!(run(&[], &[URL]).deadline, Duration::from_secs(5));
    assert_eq!(run(&[], &[config]).deadline, Duration::from_secs(1));
    assert_eq!(run(&[], &[config, ("AUDIT_DEADLINE", "2s")]).deadline, Duration::from_secs(2));
    assert_eq!(
        run(&["--deadline=3s"], &[config, ("AUDIT_DEADLINE", "2s")]).deadline,
        Duration::from_secs(3)
    );

    assert_eq!(run(&[], &[config]).database_url, "postgres://toml");
    assert_eq!(run(&[], &[config, named]).database_url, "postgres://secret-file");
    assert_eq!(run(&[], &[config, named, URL]).database_url, "postgres://env");
    assert_eq!(
        run(&["--database-url", "postgres://flag"], &[config, named, URL]).database_url,
        "postgres://flag"
    );
}

#[test]
fn the_file_is_found_by_flag_before_or_after_the_subcommand() {
    let toml = file("deadline = '1s'\n");
    let path = toml.path().to_str().unwrap();
    for args in [vec!["--config", path, "run"], vec!["run", "--config", path]] {
        let Command::Run(run) = read(&args, &[URL]).unwrap().command else { unreachable!() };
        assert_eq!(run.deadline, Duration::from_secs(1));
    }
}

#[test]
fn toml_kinds_become_values() {
    let toml =
        file("force = true\nnamespace = ['a', 'b']\nlanes = 4\ndatabase-url = 'postgres://x'\n");
    let config = ("AUDIT_CONFIG", toml.path().to_str().unwrap());
    let options = run(&[], &[config]);
    assert!(options.force);
    assert_eq!(options.namespace, ["a", "b"]);
    let Command::Other(other) = read(&["other"], &[config]).unwrap().command else {
        unreachable!()
    };
    assert_eq!(other.lanes, 4);
    assert_eq!(run(&["--namespace", "c"], &[config]).namespace, ["c"]);
}

#[test]
fn kafka_properties_are_merged_over_all_places() {
    let toml = file("kafka-property = ['a=toml', 'b=toml', 'c=toml', 'd=toml']\n");
    let secret = file("b=file\nc=file\nd=file\n");
    let env = [
        URL,
        ("AUDIT_CONFIG", toml.path().to_str().unwrap()),
        ("AUDIT_KAFKA_PROPERTIES_FILE", secret.path().to_str().unwrap()),
        ("AUDIT_KAFKA_PROPERTIES", "c=env,x,d=env"),
    ];
    let expected = |d: &str| {
        [("a", "toml"), ("b", "file"), ("c", "env,x"), ("d", d)].map(|(k, v)| (k.into(), v.into()))
    };
    assert_eq!(run(&[], &env).kafka.properties()[1..], expected("env"));
    assert_eq!(
        run(&["--kafka-property", "d=flag,1"], &env).kafka.properties()[1..],
        expected("flag,1")
    );
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let toml = file("dedline = '1s'\n");
    let path = toml.path().to_str().unwrap();
    assert_eq!(
        fails(&["run", "--config", path], &[URL]),
        format!("{path}: unknown key `dedline`; did you mean `deadline`?")
    );

    let toml = file("deadline = 'soon'\n");
    let path = toml.path().to_str().unwrap();
    let error = fails(&["run", "--config", path], &[URL]);
    assert!(
        error.starts_with("invalid value 'soon' for '--deadline <DEADLINE>': not a duration"),
        "{error}"
    );
    assert!(error.ends_with(&format!("(from key `deadline` in {path})")), "{error}");

    assert!(fails(&["run"], &[URL, ("AUDIT_DEADLINE", "x")]).ends_with("(from AUDIT_DEADLINE)"));
    assert!(
        !fails(&["run", "--deadline", "x"], &[URL, ("AUDIT_DEADLINE", "1s")])
            .contains("AUDIT_DEADLINE")
    );

    let toml = file("deadline = ['1s']\n");
    assert!(
        fails(&["run", "--config", toml.path().to_str().unwrap()], &[URL])
            .ends_with("`deadline` must be one value, not an array")
    );
    let toml = file("\nlanes = = 2\n");
    assert!(
        fails(&["other", "--config", toml.path().to_str().unwrap()], &[]).contains(":2: not TOML")
    );
    assert!(
        fails(&["other", "--config", "/nowhere/x.toml"], &[])
            .contains("given by --config (AUDIT_CONFIG)")
    );
}

#[test]
fn what_is_missing_is_named() {
    let error = fails(&["run"], &[]);
    assert!(error.contains("not provided: --database-url <DATABASE_URL>"), "{error}");
    let error = fails(&["run", "--databse-url", "x"], &[]);
    assert!(error.contains("unexpected argument '--databse-url' found; tip:"), "{error}");
}

#[test]
fn secrets_are_not_shown() {
    let error = fails(&["run"], &[("AUDIT_DATABASE_URL", "mysql://user:hunter2@host")]);
    let reason = "must begin with postgres://";
    assert_eq!(
        error,
        format!("invalid value for AUDIT_DATABASE_URL (not shown: it may be a secret): {reason}")
    );
    let secret = file("hunter2");
    let path = secret.path().to_str().unwrap();
    let error = fails(&["run"], &[("AUDIT_DATABASE_URL_FILE", path)]);
    assert!(
        error.contains("named by AUDIT_DATABASE_URL_FILE") && !error.contains("hunter2"),
        "{error}"
    );
    let error = fails(&["run"], &[URL, ("AUDIT_KAFKA_PROPERTIES", "hunter2")]);
    assert!(error.contains("AUDIT_KAFKA_PROPERTIES") && !error.contains("hunter2"), "{error}");
    let error = fails(&["run"], &[("AUDIT_DATABASE_URL_FILE", "/nowhere/secret")]);
    assert!(
        error.starts_with("cannot read /nowhere/secret, given by AUDIT_DATABASE_URL_FILE"),
        "{error}"
    );
}

#[test]
fn help_needs_no_configuration() {
    let env = [("AUDIT_CONFIG", "/nowhere/x.toml")].into_iter().collect();
    let error = layered::<Cli>(vec!["test".into(), "run".into(), "--help".into()], &env);
    assert!(matches!(error, Err(ConfigError::Shown(_))));
}
