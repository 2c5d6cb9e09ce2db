//! Our tables: version, rights, months.

use audit_schema::migrations::{OLDEST_SCHEMA, SCHEMA_VERSION};
use tokio_postgres::Client;

use super::finding::Finding;
use crate::database::{RightsError, SchemaError, check_rights, check_schema};
use crate::partitions;

/// Times that may have a month of their own wait in the default partition only until it is made.
const WAITING: &str = "\
SELECT count(*) FROM workflow_execution_audit_default
WHERE created_at >= '2000-01-01 00:00:00+00' AND created_at < date_trunc('year', now()) + interval '2 years'";

const POWER: &str = "\
SELECT current_user::text, rolsuper, pg_has_role(relowner, 'USAGE')
FROM pg_roles, pg_class WHERE rolname = current_user AND pg_class.oid = 'workflow_execution_audit'::regclass";

const MIGRATE: &str = "run `audit-consumer migrate`";
const WRITER: &str = "let `run` work as a member of audit_writer (docs/database-roles.md)";

pub(super) async fn version(client: &Client) -> Finding {
    match check_schema(client, OLDEST_SCHEMA).await {
        Ok(()) => Finding::good(
            "schema",
            format!("fits this binary, which was made for version {SCHEMA_VERSION}"),
        ),
        Err(SchemaError::Query(error)) => Finding::unanswered("schema", &error),
        Err(error) => Finding::told("schema", &error.to_string(), MIGRATE),
    }
}

pub(super) async fn rights(client: &Client) -> Finding {
    match check_rights(client).await {
        Err(RightsError::Query(error)) => return Finding::unanswered("rights", &error),
        Err(error) => return Finding::told("rights", &error.to_string(), WRITER),
        Ok(()) => {}
    }
    let row = match client.query_one(POWER, &[]).await {
        Ok(row) => row,
        Err(error) => return Finding::unanswered("rights", &error),
    };
    let user: String = row.get(0);
    let too_much = match (row.get(1), row.get(2)) {
        (true, _) => "is a superuser",
        (false, true) => "owns the tables",
        (false, false) => return Finding::good("rights", format!("{user} has what `run` needs")),
    };
    Finding::warning("rights", format!("{user} {too_much}, which is more than `run` needs"), WRITER)
}

pub(super) async fn partitions(client: &Client) -> Vec<Finding> {
    vec![ahead(client).await, waiting(client).await]
}

async fn ahead(client: &Client) -> Finding {
    let missing = match partitions::missing_ahead(client).await {
        Ok(missing) => missing,
        Err(error) => return Finding::unanswered("partitions", &error),
    };
    if missing.is_empty() {
        return Finding::good("partitions", "this month and the next ones are there");
    }
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    Finding::warning(
        "partitions",
        format!("none for {}", missing.join(", ")),
        "run `audit-consumer migrate`; a running consumer makes them within half a minute, or logs what keeps it from that",
    )
}

async fn waiting(client: &Client) -> Finding {
    let rows: i64 = match client.query_one(WAITING, &[]).await {
        Ok(row) => row.get(0),
        Err(error) => return Finding::unanswered("default partition", &error),
    };
    if rows == 0 {
        return Finding::good("default partition", "no rows wait for a month of their own");
    }
    Finding::warning(
        "default partition",
        format!("{rows} rows wait for a month of their own"),
        "end long transactions that read the table: the month cannot be attached under them",
    )
}
