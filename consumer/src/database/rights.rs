//! What a user may do in the database. The list of what `run` needs is the database's own, `audit_writer_right`.

use tokio_postgres::Client;

use super::error::describe;

/// Columns are left out: nobody who lacks one of a table's has just the others.
const MISSING: &str = "\
SELECT DISTINCT privilege || ' on ' || object AS missing FROM audit_writer_right
WHERE NOT CASE
    WHEN object LIKE '%(%' THEN has_function_privilege(object, privilege)
    WHEN column_name IS NULL THEN has_table_privilege(object, privilege)
    ELSE has_column_privilege(object, column_name, privilege)
END
UNION ALL
SELECT 'TEMPORARY on the database' WHERE NOT has_database_privilege(current_database(), 'TEMPORARY')
ORDER BY missing";

/// Named in a message at the most.
const NAMED: usize = 3;

/// Why `run` does not work as this user.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// Rights that `run` needs.
    #[error(
        "the database user lacks rights that `run` needs: {}; make it a member of audit_writer (docs/database-roles.md)",
        some_of(.0)
    )]
    Missing(Vec<String>),
    /// The database could not be asked.
    #[error("cannot see what the database user may do: {}", describe(.0))]
    Query(#[from] tokio_postgres::Error),
}

/// Whether this user may do all that `run` does.
///
/// # Errors
/// [`RightsError`], with what to do.
pub async fn check_rights(client: &Client) -> Result<(), RightsError> {
    let missing: Vec<String> =
        client.query(MISSING, &[]).await?.iter().map(|row| row.get(0)).collect();
    if missing.is_empty() { Ok(()) } else { Err(RightsError::Missing(missing)) }
}

fn some_of(rights: &[String]) -> String {
    let named = rights.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match rights.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
