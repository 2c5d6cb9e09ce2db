//! The migrator makes all objects, and the owner has them.

use anyhow::{Result, ensure};
use audit_schema::migrations::MIGRATIONS;
use audit_tests::{
    eventually,
    generator::Generator,
    pipeline::{Pipeline, Servers},
    shared,
};
use chrono::Utc;
use refinery::{Migration, Runner};
use tokio_postgres::Client;

use super::{ADMINISTRATOR, MIGRATOR, WRITERS, apply_roles, pipeline, server, session, url};
use crate::database::{PATIENCE, mixture};

const SEED: u64 = 0x0A0D_1020;
/// Of the last schema without roles.
const BEFORE_ROLES: usize = 5;

#[tokio::test]
async fn the_migrator_migrates_an_empty_database_and_the_owner_has_it_all() -> Result<()> {
    let postgres = server().await?;
    let pipeline = pipeline(&postgres, "migrated", 1).await?;
    owned_by_owner(&postgres.connect(&pipeline.database).await?).await?;
    let migrate = pipeline.command("migrate");
    let migrator = url(&postgres, MIGRATOR, &pipeline.database);
    let again = migrate.env("AUDIT_DATABASE_URL", migrator).run().await?.success()?;
    assert_eq!(again, "the schema is up to date\n");
    Ok(())
}

/// What the administrator's own `migrate` made before there were roles passes to the owner, rows included.
#[tokio::test]
async fn a_database_from_before_the_roles_is_upgraded() -> Result<()> {
    let postgres = server().await?;
    let name = shared::unique("upgraded");
    let create = format!("CREATE DATABASE \"{name}\"");
    session(&postgres, ADMINISTRATOR, "postgres").await?.batch_execute(&create).await?;
    let mut old = session(&postgres, ADMINISTRATOR, &name).await?;
    let migrations = MIGRATIONS[..BEFORE_ROLES].iter();
    let migrations: Vec<_> =
        migrations.map(|(name, sql)| Migration::unapplied(name, sql)).collect::<Result<_, _>>()?;
    Runner::new(&migrations).run_async(&mut old).await?;
    old.batch_execute("SELECT audit_add_partition('2020-01-01')").await?;

    apply_roles(&postgres, &name).await?;
    let servers = Servers { kafka: shared::kafka().await?, postgres: &postgres };
    let migrator = url(&postgres, MIGRATOR, &name);
    let mut pipeline = Pipeline::with_database(servers, &name, migrator, 2).await?;
    owned_by_owner(&postgres.connect(&name).await?).await?;

    pipeline.database_url = url(&postgres, WRITERS[0], &name);
    let mut generator = Generator::new(SEED, Utc::now());
    servers.kafka.publish(&pipeline.topic, mixture(&mut generator, 100, 2)).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await
}

/// What the writer has the server make belongs to the owner as well.
#[tokio::test]
async fn months_that_the_writer_asks_for_belong_to_the_owner() -> Result<()> {
    let postgres = server().await?;
    let pipeline = pipeline(&postgres, "months_owned", 1).await?;
    let superuser = postgres.connect(&pipeline.database).await?;
    let keeper = "DROP TABLE workflow_execution_audit_";
    let next = Utc::now() + chrono::Months::new(1);
    superuser.batch_execute(&format!("{keeper}{}", next.format("%Y_%m"))).await?;
    let consumer = pipeline.start_consumer().await?;
    eventually(PATIENCE, "the next month", async || {
        let sql = "SELECT to_regclass('workflow_execution_audit_' || $1) IS NOT NULL";
        let month = next.format("%Y_%m").to_string();
        let made: bool = superuser.query_one(sql, &[&month]).await?.get(0);
        ensure!(made, "it is not there");
        Ok(())
    })
    .await?;
    owned_by_owner(&superuser).await?;
    pipeline.stop(&consumer).await
}

async fn owned_by_owner(client: &Client) -> Result<()> {
    let sql = "
        SELECT name || ' belongs to ' || owner::regrole FROM (
            SELECT oid::regclass::text, relowner FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION ALL
            SELECT oid::regprocedure::text, proowner FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        ) AS object (name, owner) WHERE owner <> 'audit_owner'::regrole";
    let rows = client.query(sql, &[]).await?;
    let others: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    ensure!(others.is_empty(), "{others:?}");
    Ok(())
}
