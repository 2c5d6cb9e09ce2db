//! What can be wrong with the PostgreSQL server.

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    pipeline::{Pipeline, Servers},
    postgres::{PASSWORD, PostgresServer, connect},
    shared,
};

use super::Report;
use crate::database::{PATIENCE, roles};

#[tokio::test]
async fn no_database() -> Result<()> {
    let pipeline = Pipeline::shared("doctor_no_database", 1).await?;
    let place = pipeline.servers.postgres.address().to_string();
    let away = pipeline.database_url.replace(&place, "127.0.0.1:9");
    let report = Report::of(&pipeline, &[("AUDIT_DATABASE_URL", &away)]).await?;
    report.has("database", "bad", &["127.0.0.1:9", "refused", "start PostgreSQL"])?;
    for check in ["database settings", "database clock", "schema", "rights", "partitions", "stream"]
    {
        report.has(check, "skipped", &["no database"])?;
    }
    report.has("topic", "good", &[])?;

    let wrong = pipeline.database_url.replace(PASSWORD, "another");
    let report = Report::of(&pipeline, &[("AUDIT_DATABASE_URL", &wrong)]).await?;
    report.has("database", "bad", &["28P01", "check user and password"])
}

#[tokio::test]
async fn settings_that_lose_data() -> Result<()> {
    let postgres = roles::server().await?;
    let pipeline = roles::pipeline(&postgres, "doctor_settings", 1).await?;
    for (name, value, status) in [
        ("synchronous_commit", "off", "warning"),
        ("full_page_writes", "off", "bad"),
        ("fsync", "off", "bad"),
    ] {
        postgres.alter(name, value).await?;
        let report = Report::of(&pipeline, &[]).await?;
        report.only("database settings", status, &[name, &format!("set {name} = on")])?;
    }
    Ok(())
}

#[tokio::test]
async fn another_encoding() -> Result<()> {
    let postgres = shared::postgres().await?;
    let pipeline = Pipeline::shared("doctor_encoding", 1).await?;
    let name = shared::unique("doctor_ascii");
    let create =
        format!("CREATE DATABASE \"{name}\" ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
    postgres.connect("postgres").await?.batch_execute(&create).await?;
    let url = postgres.url(&name);
    let report = Report::of(&pipeline, &[("AUDIT_DATABASE_URL", &url)]).await?;
    report.has("database encoding", "bad", &["SQL_ASCII", "ENCODING 'UTF8'"])
}

#[tokio::test]
async fn hardly_a_connection_left() -> Result<()> {
    let settings = [("max_connections", "10"), ("superuser_reserved_connections", "0")];
    let postgres = PostgresServer::start_new(&settings).await?;
    let servers = Servers { kafka: shared::kafka().await?, postgres: &postgres };
    let pipeline = Pipeline::on(servers, "doctor_crowded", 1).await?;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(connect(&pipeline.database_url).await?);
    }
    // Those that made the database may still be on their way out.
    eventually(PATIENCE, "nobody but the four", async || {
        let sessions =
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'";
        let now: i64 = others[0].query_one(sessions, &[]).await?.get(0);
        ensure!(now == 4, "{now}");
        Ok(())
    })
    .await?;
    let report = Report::of(&pipeline, &[]).await?;
    report.has("database connections", "warning", &["5 free", "max_connections", "up to 6"])?;
    drop(others);
    Ok(())
}
