//! A database that is right, into which one fault after the other is put.

use anyhow::{Context, Result};
use audit_tests::pipeline::Pipeline;
use tokio_postgres::Client;

use super::{PARTITIONS, Verdict, stored};

/// Those that reference others come last.
const TABLES: [&str; 6] = [
    "workflow_execution_audit",
    "workflow_execution_audit_history",
    "audit_id",
    "audit_dead_letter",
    "audit_stream",
    "audit_batch",
];

/// A database that is right, and a copy of it.
pub(super) struct Stage {
    pub(super) pipeline: Pipeline<'static>,
    pub(super) superuser: Client,
}

impl Stage {
    pub(super) async fn set(name: &str, seed: u64) -> Result<Self> {
        let pipeline = Pipeline::shared(name, PARTITIONS).await?;
        stored(&pipeline, seed, 80).await?;
        let superuser = pipeline.servers.postgres.connect(&pipeline.database).await?;
        superuser.batch_execute("CREATE SCHEMA copy").await?;
        for table in TABLES {
            let copy = format!("CREATE TABLE copy.{table} AS TABLE {table}");
            superuser.batch_execute(&copy).await?;
        }
        Verdict::of_topic(&pipeline).await?.is_clean()?;
        Ok(Self { pipeline, superuser })
    }

    /// Plants a fault, which must change something; looks at what `verify` says of the tables alone and of both; and
    /// takes the fault away again.
    pub(super) async fn plant(&self, fault: &str) -> Result<(Verdict, Verdict)> {
        self.alter(fault).await.with_context(|| format!("plant: {fault}"))?;
        let tables = Verdict::of_tables(&self.pipeline).await?;
        let topic = Verdict::of_topic(&self.pipeline).await?;
        self.restore().await?;
        Ok((tables, topic))
    }

    async fn alter(&self, fault: &str) -> Result<()> {
        let changed = self.superuser.execute(fault, &[]).await?;
        anyhow::ensure!(changed > 0, "nothing was changed");
        Ok(())
    }

    async fn restore(&self) -> Result<()> {
        let mut sql = format!("TRUNCATE {};", TABLES.join(", "));
        for table in TABLES {
            sql.push_str(&format!("INSERT INTO {table} SELECT * FROM copy.{table};"));
        }
        self.superuser.batch_execute(&sql).await?;
        Ok(())
    }

    /// The columns of a table with their types.
    pub(super) async fn columns(&self, table: &str) -> Result<Vec<(String, String)>> {
        let sql = "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute \
                   WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped";
        let rows = self.superuser.query(sql, &[&table]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

/// Another value for a column, that its type and its CHECKs take.
pub(super) fn other_value(column: &str, kind: &str) -> String {
    match (column, kind) {
        ("outcome", _) => "CASE outcome WHEN 'success' THEN 'failed' ELSE 'success' END".into(),
        ("extensions", _) => r#"coalesce(extensions, '{}') || '{"planted": 1}'"#.into(),
        (_, "jsonb") => format!(r#"coalesce({column}, '[]') || '[{{"planted": 1}}]'"#),
        (_, "uuid") => "gen_random_uuid()".into(),
        (_, "integer" | "bigint") => format!("coalesce({column}, 0) + 1"),
        (_, "double precision") => format!("CASE {column} WHEN 0.5 THEN 0.25 ELSE 0.5 END"),
        (_, "interval") => format!("coalesce({column}, '0') + interval '1 microsecond'"),
        (_, "timestamp with time zone") => format!("coalesce({column}, now()) + interval '1 day'"),
        (_, "bytea") => format!("set_byte({column}, 7, 255 - get_byte({column}, 7))"),
        _ => format!("coalesce({column}, '') || 'x'"),
    }
}
