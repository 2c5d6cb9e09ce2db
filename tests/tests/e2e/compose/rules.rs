//! What can be said of the file without running it.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result};
use audit_tests::binary::Binary;
use serde_json::Value;

use super::{
    file::{File, Service, repository, text},
    secrets::Secrets,
};

/// Where containers see their secrets.
const MOUNTED: &str = "/run/secrets/";

/// Compose replaces `$..` by what the caller's environment has: nothing here depends on that.
#[test]
fn nothing_comes_from_the_callers_environment() -> Result<()> {
    assert!(!text()?.contains('$'));
    Ok(())
}

#[test]
fn the_services_are_those_that_are_documented() -> Result<()> {
    let file = File::read()?;
    let services: Vec<&String> = file.services.keys().collect();
    assert_eq!(services, ["consumer", "gateway", "kafka", "migrate", "postgres", "topic"]);
    let ours: Vec<&String> = file.ours().map(|(name, _)| name).collect();
    assert_eq!(ours, ["consumer", "gateway", "migrate", "topic"]);
    for (name, service) in &file.services {
        // What is not waited for to end is watched, started again, and given time to end.
        let lasting = !file.is_one_shot(name);
        assert_eq!(service.has_health_check(), lasting, "{name}");
        assert_eq!(service.restart.as_deref(), lasting.then_some("unless-stopped"), "{name}");
        assert_eq!(service.stop_grace_period.is_some(), lasting, "{name}");
        if lasting && service.is_ours() {
            // What docs/deployment.md says that they need.
            assert_eq!(service.stop_grace_period.as_deref(), Some("30s"), "{name}");
        }
    }
    Ok(())
}

#[test]
fn images_are_pinned_and_ours_has_the_version_of_the_binaries() -> Result<()> {
    for (name, service) in &File::read()?.services {
        let (_, tag) = service.image.split_once(':').context("an image without a tag")?;
        let numbers = tag.split('-').next().unwrap_or_default();
        let pinned = numbers.split('.').all(|number| number.parse::<u32>().is_ok());
        assert!(pinned && numbers.contains('.'), "{name}: {}", service.image);
        if service.is_ours() {
            assert_eq!(tag, env!("CARGO_PKG_VERSION"), "{name}");
        }
    }
    Ok(())
}

#[test]
fn ports_are_published_to_this_machine_alone() -> Result<()> {
    let file = File::read()?;
    for (name, service) in &file.services {
        for (address, host, _) in service.ports() {
            assert_eq!(address, "127.0.0.1", "{name}: {host}");
        }
    }
    // Kafka tells its clients where to go on.
    let kafka = &file.services["kafka"];
    let (_, host, container) = kafka.ports().next().context("no port")?;
    let advertised = &kafka.environment["KAFKA_ADVERTISED_LISTENERS"];
    assert!(advertised.ends_with(&format!(",HOST://localhost:{host}")), "{advertised}");
    assert!(kafka.environment["KAFKA_LISTENERS"].contains(&format!(",HOST://:{container},")));
    Ok(())
}

/// The script makes what the file names, and a service names what it is given.
#[tokio::test]
async fn every_secret_is_made_and_used() -> Result<()> {
    let file = File::read()?;
    let made = Secrets::make().await?;
    let named: BTreeSet<_> = file.secrets.values().map(|secret| made.path(&secret.file)).collect();
    assert_eq!(made.read()?.into_keys().collect::<BTreeSet<_>>(), named);
    let mut used = BTreeSet::new();
    for (name, service) in &file.services {
        let read = service.environment.values();
        let read: BTreeSet<&str> = read.filter_map(|value| value.strip_prefix(MOUNTED)).collect();
        let given: BTreeSet<&str> = service.secrets.iter().map(String::as_str).collect();
        assert_eq!(read, given, "{name}");
        used.extend(given);
    }
    assert_eq!(used, file.secrets.keys().map(String::as_str).collect());
    Ok(())
}

#[test]
fn no_secret_stands_in_the_file() -> Result<()> {
    assert!(!text()?.lines().any(|line| line.contains("://") && line.contains('@')), "user@host");
    for (name, service) in &File::read()?.services {
        for (variable, value) in &service.environment {
            let secret = ["PASSWORD", "DATABASE_URL", "SECRET", "TOKEN", "PROPERTIES"]
                .iter()
                .any(|word| variable.contains(word));
            assert!(!secret || value.starts_with(MOUNTED), "{name}: {variable}");
        }
    }
    Ok(())
}

/// What is mounted is a file of the repository, or a volume that outlives the container.
#[test]
fn what_is_mounted_is_there() -> Result<()> {
    let file = File::read()?;
    let mut files = 0;
    for (name, service) in &file.services {
        for (source, _) in service.mounts() {
            if source.starts_with('.') {
                assert!(repository().join(source).is_file(), "{name}: {source}");
                files += 1;
            } else {
                assert!(file.volumes.contains_key(source), "{name}: {source}");
            }
        }
    }
    assert_eq!((files, file.volumes.len()), (2, 2));
    Ok(())
}

/// What is on the developer's disk, secrets included, reaches the build only if the list names it.
#[test]
fn the_build_sees_no_more_than_the_crates() -> Result<()> {
    let ignored = fs::read_to_string(repository().join("deploy/Dockerfile.dockerignore"))?;
    let mut rules = ignored.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(rules.next(), Some("*"));
    let wanted = ["Cargo.", "schema", "runtime", "producer", "consumer", "tests/"];
    for rule in rules {
        let path = rule.strip_prefix('!').with_context(|| format!("{rule} hides a file"))?;
        assert!(wanted.iter().any(|prefix| path.starts_with(prefix)), "{rule}");
    }
    Ok(())
}

/// The image has a file for every program the services call.
#[test]
fn the_image_has_the_programs() -> Result<()> {
    let dockerfile = fs::read_to_string(repository().join("deploy/Dockerfile"))?;
    let (_, runtime) = dockerfile.rsplit_once("\nFROM ").context("no stage")?;
    let copied = runtime.lines().find(|line| line.starts_with("COPY ")).context("no COPY")?;
    assert!(copied.ends_with(" /usr/local/bin/"), "{copied}");
    for (name, service) in File::read()?.ours() {
        let mut commands = vec![service.command.as_slice()];
        if service.has_health_check() {
            commands.push(service.health_command()?);
        }
        for program in commands.iter().map(|command| &command[0]) {
            assert!(copied.contains(&format!("/{program} ")), "{name}: {program}");
        }
    }
    Ok(())
}

/// Each binary takes every variable of its service, and listens at the ports that are published.
#[tokio::test]
async fn the_binaries_know_the_variables_and_ports() -> Result<()> {
    let (file, secrets) = (File::read()?, Secrets::make().await?);
    for (name, service) in file.ours() {
        let configured = async |verb: &[&str]| {
            let (program, args) = service.command.split_first().context("no command")?;
            let mut binary = Binary::new(program).args([&["config"], verb].concat()).args(args);
            for (variable, value) in &service.environment {
                binary = binary.env(variable, in_the_repository(value, &file, &secrets));
            }
            binary.run().await?.success()
        };
        assert_eq!(configured(&["check"]).await?, "ok\n", "{name}");
        let options: Vec<Value> =
            serde_json::from_str(&configured(&["show", "--format", "json"]).await?)?;
        for variable in service.environment.keys() {
            let known = options.iter().any(|option| names(&option["origin"], variable));
            assert!(known, "{name}: {variable} is the origin of no option");
        }
        listens(name, service, &options);
    }
    Ok(())
}

fn names(origin: &Value, variable: &str) -> bool {
    origin.as_str().is_some_and(|origin| origin.contains(variable))
}

fn listens(name: &str, service: &Service, options: &[Value]) {
    for (_, _, container) in service.ports() {
        let listening = options.iter().any(|option| {
            let is_address = matches!(option["option"].as_str(), Some("listen" | "admin-listen"));
            is_address && option["value"] == format!("0.0.0.0:{container}")
        });
        assert!(listening, "{name} does not listen at {container}");
    }
}

/// Where a secret is that the container would see under this path.
fn in_the_repository(value: &str, file: &File, secrets: &Secrets) -> String {
    let secret = value.strip_prefix(MOUNTED).and_then(|name| file.secrets.get(name));
    match secret {
        Some(secret) => secrets.path(&secret.file).display().to_string(),
        None => value.to_owned(),
    }
}
