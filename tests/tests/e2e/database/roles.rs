//! Least rights: each role can do its work, and nothing else.

use anyhow::Result;
use audit_tests::{
    pipeline::{Pipeline, Servers},
    postgres::{PASSWORD, PostgresServer, connect},
    shared,
};
use tokio_postgres::{Client, error::SqlState};

mod migrator;
mod reader;
mod sessions;
mod stranger;
mod writer;

/// What an administrator runs, word for word.
const ROLES: &str = include_str!("../../../../schema/roles.sql");

/// The administrator of a managed server: no superuser, but one who makes roles and databases.
const ADMINISTRATOR: &str = "administrator";
pub(crate) const MIGRATOR: &str = "deployer";
pub(crate) const WRITERS: [&str; 2] = ["consumer_a", "consumer_b"];
pub(crate) const READER: &str = "reporter";
const STRANGER: &str = "stranger";

/// A server of its own, since roles belong to all databases of a server, and one user for each role.
pub(crate) async fn server() -> Result<PostgresServer> {
    let postgres = PostgresServer::start_new(&[("track_functions", "all")]).await?;
    let superuser = postgres.connect("postgres").await?;
    let users = [ADMINISTRATOR, MIGRATOR, WRITERS[0], WRITERS[1], READER, STRANGER];
    for user in users {
        superuser.batch_execute(&format!("CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'")).await?;
    }
    superuser.batch_execute(&format!("ALTER ROLE {ADMINISTRATOR} CREATEROLE CREATEDB")).await?;
    Ok(postgres)
}

/// An empty database of the administrator, with the roles applied, twice since that is harmless.
async fn database(postgres: &PostgresServer, name: &str) -> Result<()> {
    let create = format!("CREATE DATABASE \"{name}\"");
    session(postgres, ADMINISTRATOR, "postgres").await?.batch_execute(&create).await?;
    apply_roles(postgres, name).await?;
    apply_roles(postgres, name).await
}

async fn apply_roles(postgres: &PostgresServer, database: &str) -> Result<()> {
    let administrator = session(postgres, ADMINISTRATOR, database).await?;
    administrator.batch_execute(ROLES).await?;
    let [one, other] = WRITERS;
    let members = format!(
        "GRANT audit_migrator TO {MIGRATOR}; GRANT audit_writer TO {one}, {other}; GRANT audit_reader TO {READER}"
    );
    administrator.batch_execute(&members).await?;
    Ok(())
}

/// A stream whose database was migrated by the migrator and is written by the first writer.
pub(crate) async fn pipeline<'a>(
    postgres: &'a PostgresServer,
    name: &str,
    partitions: i32,
) -> Result<Pipeline<'a>> {
    let servers = Servers { kafka: shared::kafka().await?, postgres };
    let name = shared::unique(name);
    database(postgres, &name).await?;
    let url = url(postgres, MIGRATOR, &name);
    let mut pipeline = Pipeline::with_database(servers, &name, url, partitions).await?;
    pipeline.database_url = self::url(postgres, WRITERS[0], &name);
    Ok(pipeline)
}

pub(crate) fn url(postgres: &PostgresServer, user: &str, database: &str) -> String {
    format!("postgres://{user}:{PASSWORD}@{}/{database}", postgres.address())
}

async fn session(postgres: &PostgresServer, user: &str, database: &str) -> Result<Client> {
    connect(&url(postgres, user, database)).await
}

/// Every table and view of the schema, partitions included, as the server's catalog has them.
struct Relation {
    name: String,
    is_view: bool,
    is_partition: bool,
    first_column: String,
}

async fn relations(client: &Client) -> Result<Vec<Relation>> {
    let sql = "
        SELECT c.relname::text, c.relkind = 'v', c.relispartition, a.attname::text
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')";
    let rows = client.query(sql, &[]).await?;
    let relations: Vec<Relation> = rows
        .iter()
        .map(|row| Relation {
            name: row.get(0),
            is_view: row.get(1),
            is_partition: row.get(2),
            first_column: row.get(3),
        })
        .collect();
    assert!(relations.len() > 15, "{} tables and views", relations.len());
    Ok(relations)
}

/// The server must refuse the statement for want of a right.
#[track_caller]
fn refused(statement: &str, result: Result<(), tokio_postgres::Error>) {
    let error = result.expect_err(statement);
    let code = error.code();
    assert_eq!(code, Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}: {error:?}");
}

/// Each of the statements must be refused.
async fn may_not(client: &Client, statements: &[String]) {
    for statement in statements {
        refused(statement, client.batch_execute(statement).await);
    }
}

/// Who the pipeline connects as must be told who may migrate instead.
async fn may_not_migrate(pipeline: &Pipeline<'_>, user: &str) -> Result<()> {
    let migrate = pipeline.command("migrate").run().await?;
    let refusal = format!(
        "error: the database user {user} may not migrate: it lacks CREATE on schema public; use a member of \
         audit_migrator (docs/database-roles.md)\n"
    );
    assert_eq!((migrate.code, migrate.stderr), (Some(1), refusal));
    Ok(())
}
