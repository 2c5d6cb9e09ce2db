//! The whole of it, run.

use std::iter::zip;

use anyhow::{Context, Result};
use audit_runtime::duration;
use audit_schema::topic::TOPIC;
use audit_tests::{
    gateway::{acknowledged, post},
    generator::{Generator, IdKind},
    pipeline::{Pipeline, Servers},
    postgres::connect,
};
use chrono::Utc;

use super::stack::Stack;

/// An event that is posted becomes a row, by way of consumers that share the work and have the least rights; health
/// checks tell who runs; and everything ends in the time it is given.
#[tokio::test]
async fn the_services_work_together() -> Result<()> {
    let stack = Stack::up().await?;
    for name in ["gateway", "consumer"] {
        stack.becomes_healthy(name).await?;
    }
    let pipeline = Pipeline {
        servers: Servers { kafka: stack.kafka()?, postgres: stack.postgres() },
        topic: TOPIC.into(),
        database: "audit".into(),
        database_url: stack.postgres().url("audit"),
        group: "kubernaut-audit".into(),
    };
    assert_eq!(pipeline.servers.kafka.partitions(TOPIC).await?, 12);
    let consumers: Vec<_> = stack.running["consumer"].iter().collect();
    assert_eq!(consumers.len(), 2);
    pipeline.owned_by(&consumers).await?;

    let event = Generator::new(8, Utc::now()).event(IdKind::Dated);
    let answer = post(stack.gateway, &event.value()).await?;
    assert_eq!(acknowledged(&answer)?.topic, TOPIC);
    assert_eq!(pipeline.verify().await?.ids, 1);
    least_rights(&pipeline).await?;
    let doctor = ["audit-consumer", "doctor"].map(ToOwned::to_owned);
    stack.exec("consumer", 0, &doctor).await?;
    ends_in_time(&stack).await
}

/// What `migrate` made is nobody's who logs in, and the consumers are one user.
async fn least_rights(pipeline: &Pipeline<'_>) -> Result<()> {
    let database = connect(&pipeline.database_url).await?;
    let owners = "SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = 'public'";
    let owners = database.query(owners, &[]).await?;
    let owners: Vec<String> = owners.iter().map(|row| row.get(0)).collect();
    assert_eq!(owners, ["audit_owner"]);
    let users = "
        SELECT DISTINCT usename::text FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename LIKE 'audit\\_%'";
    let users = database.query(users, &[]).await?;
    let users: Vec<String> = users.iter().map(|row| row.get(0)).collect();
    assert_eq!(users, ["audit_consumer"]);
    Ok(())
}

async fn ends_in_time(stack: &Stack) -> Result<()> {
    for (name, containers) in &stack.running {
        let period = stack.file.services[name].stop_grace_period.as_deref();
        let period = duration::parse(period.context("no stop_grace_period")?)?;
        for (index, container) in zip(0.., containers) {
            stack.health(name, index).await?;
            assert!(container.terminate(period).await?.success(), "{name}");
            let error = stack.health(name, index).await.expect_err("nobody is there to be well");
            assert!(error.to_string().contains("cannot ask"), "{name}: {error}");
        }
    }
    Ok(())
}

/// Kafka says nothing of a variable that is misspelt.
#[tokio::test]
async fn the_broker_knows_its_variables() -> Result<()> {
    let mut stack = Stack::prepare().await?;
    stack.start("kafka").await?;
    let settings = stack.kafka()?.broker_settings().await?;
    let variables = stack.file.services["kafka"].environment.keys();
    for variable in variables.filter_map(|variable| variable.strip_prefix("KAFKA_")) {
        let setting = variable.to_lowercase().replace('_', ".");
        assert!(settings.contains_key(&setting), "{setting}");
    }
    Ok(())
}
