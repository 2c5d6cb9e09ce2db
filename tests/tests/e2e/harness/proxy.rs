use std::time::Duration;

use anyhow::Result;
use audit_tests::{
    postgres::{PostgresServer, connect},
    proxy::{CutAt, Mode, Proxy},
    shared,
};
use tokio_postgres::Client;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_committed() -> Result<()> {
    let (server, table, proxy, mut client) = setup().await?;
    proxy.cut_next_commit(CutAt::CommitReply, "");
    assert!(insert(&mut client, &table).await.is_err());
    proxy.wait_for_cuts(1, SOON).await?;
    assert_eq!(count(server, &table).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_commit_that_is_lost_is_rolled_back() -> Result<()> {
    let (server, table, proxy, mut client) = setup().await?;
    proxy.cut_next_commit(CutAt::Commit, "");
    assert!(insert(&mut client, &table).await.is_err());
    proxy.wait_for_cuts(1, SOON).await?;
    assert_eq!(count(server, &table).await?, 0);
    Ok(())
}

#[tokio::test]
async fn only_the_transaction_that_was_meant_is_cut_and_only_once() -> Result<()> {
    let (server, table, proxy, mut client) = setup().await?;
    proxy.cut_next_commit(CutAt::CommitReply, &format!("INSERT INTO {table}"));

    let other = client.transaction().await?;
    other.batch_execute("SELECT 1").await?;
    other.commit().await?;
    assert_eq!(proxy.cuts(), 0);

    assert!(insert(&mut client, &table).await.is_err());
    let mut again = connect(&through(server, &proxy)).await?;
    insert(&mut again, &table).await?;
    assert_eq!((proxy.cuts(), count(server, &table).await?), (1, 2));
    Ok(())
}

#[tokio::test]
async fn connections_are_cut_stalled_and_refused() -> Result<()> {
    let (server, table, proxy, mut client) = setup().await?;

    proxy.set_mode(Mode::Stall);
    {
        let stalled = insert(&mut client, &table);
        tokio::pin!(stalled);
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut stalled).await.is_err());
        proxy.set_mode(Mode::Forward);
        stalled.await?;
    }

    proxy.cut_all();
    assert!(insert(&mut client, &table).await.is_err());

    proxy.set_mode(Mode::Refuse);
    audit_tests::eventually(SOON, "a refusal", async || {
        anyhow::ensure!(connect(&through(server, &proxy)).await.is_err(), "accepted");
        Ok(())
    })
    .await?;
    proxy.set_mode(Mode::Forward);
    let mut client = audit_tests::eventually(SOON, "a connection", async || {
        connect(&through(server, &proxy)).await
    })
    .await?;
    insert(&mut client, &table).await?;
    assert_eq!(count(server, &table).await?, 2);
    Ok(())
}

async fn setup() -> Result<(&'static PostgresServer, String, Proxy, Client)> {
    let server = shared::postgres().await?;
    let table = shared::unique("proxied");
    let create = format!("CREATE TABLE {table} (n int)");
    server.connect("postgres").await?.batch_execute(&create).await?;
    let proxy = Proxy::start(server.address())?;
    let client = connect(&through(server, &proxy)).await?;
    Ok((server, table, proxy, client))
}

fn through(server: &PostgresServer, proxy: &Proxy) -> String {
    proxy.url(server.address(), &server.url("postgres"))
}

async fn insert(client: &mut Client, table: &str) -> Result<()> {
    let transaction = client.transaction().await?;
    transaction.execute(&format!("INSERT INTO {table} VALUES ($1)"), &[&1]).await?;
    Ok(transaction.commit().await?)
}

async fn count(server: &PostgresServer, table: &str) -> Result<i64> {
    let client = server.connect("postgres").await?;
    Ok(client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?.get(0))
}
