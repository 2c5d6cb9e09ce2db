//! Which schema the database has, and bringing it up to date.

use audit_schema::migrations::{MIGRATIONS, SCHEMA_VERSION};
use refinery::{Migration, Runner};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::error::describe;
use super::owner::become_owner;

/// Any number that no other tool uses for its advisory locks: "audit" in ASCII.
const MIGRATION_LOCK: i64 = 0x61_75_64_69_74;

/// Why a command does not accept the database's schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// No table of ours is there.
    #[error("the database has no audit schema; run `audit-consumer migrate`")]
    Missing,
    /// The schema is older than the command can work with.
    #[error(
        "the database has schema version {version}, this command needs at least {oldest}; run `audit-consumer migrate`"
    )]
    TooOld {
        /// What the database has.
        version: i32,
        /// What the command needs.
        oldest: i32,
    },
    /// The schema shuts out binaries as old as this one.
    #[error(
        "the database's schema works with binaries of schema version {0} and later, this one has {SCHEMA_VERSION}; use a newer binary"
    )]
    BinaryTooOld(i32),
    /// The schema could not be read.
    #[error("cannot read the schema version: {}", describe(.0))]
    Query(#[from] tokio_postgres::Error),
}

impl SchemaError {
    /// Whether trying again can help: the database could not be asked.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::Query(error) if error.code() != Some(&SqlState::INSUFFICIENT_PRIVILEGE))
    }
}

/// Applies what is missing and returns the names of what was applied, oldest first.
///
/// Safe to run from several places at once: one works, the others wait and find nothing left to do. Where the roles
/// of `schema/roles.sql` are in use, it works as their owner and gives each its rights.
///
/// # Errors
/// The right that the user lacks, or the migration that failed and why; everything it did is rolled back.
pub async fn migrate(client: &mut Client) -> anyhow::Result<Vec<String>> {
    let is_owner = become_owner(client).await?;
    // Waiting for another migrator is no fault of the statement, so it has no time limit.
    client.batch_execute("SET statement_timeout = 0").await?;
    client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
    let applied = apply(client, is_owner).await;
    client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await?;
    client.batch_execute("RESET ROLE").await?;
    applied
}

async fn apply(client: &mut Client, grants: bool) -> anyhow::Result<Vec<String>> {
    let migrations = MIGRATIONS
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql))
        .collect::<Result<Vec<_>, _>>()?;
    let report = Runner::new(&migrations).run_async(client).await.map_err(|error| {
        match std::error::Error::source(&error) {
            Some(source) => match source.downcast_ref::<tokio_postgres::Error>() {
                Some(error) => anyhow::anyhow!("migration failed: {}", describe(error)),
                None => anyhow::anyhow!("migration failed: {error}: {source}"),
            },
            None => anyhow::anyhow!("migration failed: {error}"),
        }
    })?;
    if grants {
        let granted = client.execute("SELECT audit_grant_rights()", &[]).await;
        granted.map_err(|error| anyhow::anyhow!("cannot grant rights: {}", describe(&error)))?;
    }
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}

/// Whether this binary and the database's schema fit, for a command that needs at least version `oldest`.
///
/// # Errors
/// [`SchemaError`], with what to do.
pub async fn check_schema(client: &Client, oldest: i32) -> Result<(), SchemaError> {
    let sql = "SELECT (SELECT max(version) FROM refinery_schema_history), (SELECT oldest_binary FROM audit_schema_support)";
    let row = match client.query_one(sql, &[]).await {
        Ok(row) => row,
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
            return Err(SchemaError::Missing);
        }
        Err(error) => return Err(error.into()),
    };
    let version = row.get::<_, Option<i32>>(0).ok_or(SchemaError::Missing)?;
    let oldest_binary = row.get::<_, Option<i32>>(1).ok_or(SchemaError::Missing)?;
    if version < oldest {
        Err(SchemaError::TooOld { version, oldest })
    } else if oldest_binary > SCHEMA_VERSION {
        Err(SchemaError::BinaryTooOld(oldest_binary))
    } else {
        Ok(())
    }
}
