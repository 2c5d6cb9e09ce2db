//! The role that a migration works as.

use anyhow::bail;
use tokio_postgres::Client;

use super::error::describe;

/// Whether `schema/roles.sql` was applied to this database and this user may become the owner; and if not, whether it
/// may change the schema as itself.
const WHO: &str = "\
SELECT current_user::text, current_schema()::text,
    coalesce((SELECT pg_has_role(oid, 'MEMBER') AND has_schema_privilege(oid, current_schema(), 'CREATE')
        FROM pg_roles WHERE rolname = 'audit_owner'), false),
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
    coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM pg_class
        WHERE oid = to_regclass('refinery_schema_history')), true)";

/// Becomes the owner of all objects, where there is such a role; true if so.
///
/// # Errors
/// The user may not change the schema; the message says what it lacks.
pub(super) async fn become_owner(client: &Client) -> anyhow::Result<bool> {
    let failed = |error: tokio_postgres::Error| anyhow::anyhow!(describe(&error));
    let row = client.query_one(WHO, &[]).await.map_err(failed)?;
    let user: String = row.get(0);
    let schema: Option<String> = row.get(1);
    let remedy = "use a member of audit_migrator (docs/database-roles.md)";
    let Some(schema) = schema else {
        bail!("the database user {user} may not migrate: it has no schema to use; {remedy}");
    };
    if row.get(2) {
        client.batch_execute("SET ROLE audit_owner").await.map_err(failed)?;
        return Ok(true);
    }
    if !row.get::<_, bool>(3) {
        bail!(
            "the database user {user} may not migrate: it lacks CREATE on schema {schema}; {remedy}"
        );
    }
    if !row.get::<_, bool>(4) {
        bail!("the database user {user} may not migrate: it does not own the tables; {remedy}");
    }
    Ok(false)
}
