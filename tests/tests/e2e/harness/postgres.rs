use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    postgres::{PASSWORD, PostgresServer, connect},
    shared,
};
use tokio_postgres::error::SqlState;

#[tokio::test]
async fn each_database_is_its_own_and_a_wrong_password_is_refused() -> Result<()> {
    let postgres = shared::postgres().await?;
    let (one, other) = (shared::unique("own"), shared::unique("own"));
    let url = postgres.create_database(&one).await?;
    postgres.create_database(&other).await?;

    connect(&url).await?.batch_execute("CREATE TABLE t ()").await?;
    let missing = postgres.connect(&other).await?.batch_execute("TABLE t").await;
    assert_eq!(missing.unwrap_err().code(), Some(&SqlState::UNDEFINED_TABLE));

    let refused = connect(&url.replace(PASSWORD, "guessed")).await.unwrap_err();
    let code = refused.downcast::<tokio_postgres::Error>()?.code().cloned();
    assert_eq!(code, Some(SqlState::INVALID_PASSWORD));
    Ok(())
}

#[tokio::test]
async fn what_was_committed_outlives_a_crash_and_a_restart() -> Result<()> {
    let postgres = PostgresServer::start_new(&[]).await?;
    let url = postgres.create_database("events").await?;
    let client = connect(&url).await?;
    client.batch_execute("CREATE TABLE t AS SELECT 1 AS n").await?;
    client.batch_execute("BEGIN; INSERT INTO t VALUES (2)").await?;

    postgres.crash().await?;
    assert!(client.batch_execute("COMMIT").await.is_err());
    assert!(connect(&url).await.is_err());
    postgres.start().await?;
    assert_eq!(count(&url, "t").await?, 1);

    postgres.restart().await?;
    assert_eq!(count(&url, "t").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_paused_server_answers_nothing_until_it_goes_on() -> Result<()> {
    let postgres = PostgresServer::start_new(&[]).await?;
    let client = postgres.connect("postgres").await?;
    let ping = || client.simple_query("SELECT 1");

    postgres.pause()?;
    let answer = ping();
    tokio::pin!(answer);
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut answer).await.is_err());
    postgres.resume()?;
    answer.await?;
    Ok(())
}

#[tokio::test]
async fn read_only_reaches_sessions_that_exist() -> Result<()> {
    let postgres = PostgresServer::start_new(&[]).await?;
    let client = postgres.connect("postgres").await?;
    client.batch_execute("CREATE TABLE t ()").await?;
    let insert = "INSERT INTO t DEFAULT VALUES";

    postgres.set_read_only(true).await?;
    eventually(Duration::from_secs(60), "the refusal", async || {
        let code = client.batch_execute(insert).await.err().and_then(|error| error.code().cloned());
        ensure!(code == Some(SqlState::READ_ONLY_SQL_TRANSACTION), "{code:?}");
        Ok(())
    })
    .await?;
    postgres.set_read_only(false).await?;
    eventually(Duration::from_secs(60), "the insert", async || {
        Ok(client.batch_execute(insert).await?)
    })
    .await
}

#[tokio::test]
async fn a_full_disk_fails_statements_until_it_is_freed() -> Result<()> {
    let postgres = PostgresServer::start_new(&[]).await?;
    let Some(disk) = postgres.small_disk(64).await? else { return Ok(()) };
    let url = postgres.create_database_on(&disk, "small").await?;
    let client = connect(&url).await?;
    client.batch_execute("CREATE TABLE t (text text)").await?;
    let insert = "INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 1000)";

    disk.fill()?;
    let error = client.batch_execute(insert).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::DISK_FULL), "{error:?}");
    disk.free()?;
    client.batch_execute(insert).await?;
    Ok(())
}

#[tokio::test]
async fn a_database_can_be_set_back_to_a_dump() -> Result<()> {
    let postgres = shared::postgres().await?;
    let name = shared::unique("dumped");
    let url = postgres.create_database(&name).await?;
    connect(&url).await?.batch_execute("CREATE TABLE t AS SELECT 1 AS n").await?;
    let dump = postgres.dump(&name).await?;
    connect(&url).await?.batch_execute("INSERT INTO t VALUES (2)").await?;

    postgres.restore(&name, &dump).await?;
    assert_eq!(count(&url, "t").await?, 1);
    Ok(())
}

async fn count(url: &str, table: &str) -> Result<i64> {
    let row = connect(url).await?.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?;
    Ok(row.get(0))
}
