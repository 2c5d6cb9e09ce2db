//! A user without any of the roles.

use anyhow::Result;
use audit_tests::postgres::PostgresServer;

use super::{STRANGER, may_not, pipeline, relations, server, session, url};

/// With the roles applied it can't even connect.
#[tokio::test]
async fn a_stranger_is_kept_out() -> Result<()> {
    let postgres = server().await?;
    let mut pipeline = pipeline(&postgres, "kept_out", 1).await?;
    pipeline.database_url = url(&postgres, STRANGER, &pipeline.database);
    for command in ["run", "migrate"] {
        let output = pipeline
            .command(command)
            .env("AUDIT_STARTUP_TIMEOUT", "1h")
            .env("AUDIT_ADMIN_LISTEN", "127.0.0.1:0")
            .env("AUDIT_LOG", "off")
            .run()
            .await?;
        assert_eq!(output.code, Some(1), "{command}: {}", output.stderr);
        assert_eq!(output.stderr.lines().count(), 1, "{command}: {}", output.stderr);
        assert!(output.stderr.contains("42501"), "{command}: {}", output.stderr);
        assert!(output.stderr.contains("docs/database-roles.md"), "{command}: {}", output.stderr);
    }
    Ok(())
}

/// Nothing is for everybody, with or without the roles: not the functions either, which PostgreSQL lets everybody call.
#[tokio::test]
async fn nothing_is_for_everybody() -> Result<()> {
    let postgres = server().await?;
    let with_roles = pipeline(&postgres, "open_door", 1).await?;
    let connecting = format!("GRANT CONNECT ON DATABASE \"{}\" TO PUBLIC", with_roles.database);
    postgres.connect(&with_roles.database).await?.batch_execute(&connecting).await?;
    sees_nothing(&postgres, &with_roles.database).await?;

    let url = postgres.create_database("no_roles").await?;
    let migrate = with_roles.command("migrate").env("AUDIT_DATABASE_URL", url);
    migrate.run().await?.success()?;
    sees_nothing(&postgres, "no_roles").await
}

async fn sees_nothing(postgres: &PostgresServer, database: &str) -> Result<()> {
    let stranger = session(postgres, STRANGER, database).await?;
    let relations = relations(&stranger).await?;
    let reads: Vec<String> =
        relations.iter().map(|relation| format!("SELECT FROM {}", relation.name)).collect();
    may_not(&stranger, &reads).await;
    let callable = "
        SELECT count(*), count(*) FILTER (WHERE has_function_privilege(oid, 'EXECUTE'))
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace";
    let row = stranger.query_one(callable, &[]).await?;
    let (functions, callable): (i64, i64) = (row.get(0), row.get(1));
    assert!(functions > 7 && callable == 0, "{callable} of {functions}");
    Ok(())
}
