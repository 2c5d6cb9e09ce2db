//! What the tables hold.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use audit_schema::{
    columns::Columns,
    digest::{self, Canonicalizer, Digest},
    version::Version,
};
use futures_util::{TryStreamExt, pin_mut};
use tokio_postgres::{Client, Row, types::ToSql};
use uuid::Uuid;

/// Times as microseconds since the Unix epoch: exact, since `extract` returns a numeric.
const CONTENT: &str = "
    id, remediation_id, workflow_name, workflow_version, total_steps, steps_completed, steps_failed,
    (extract(epoch FROM total_duration) * 1000000)::bigint AS total_duration, outcome,
    effectiveness_score, rollbacks_performed, step_executions::text AS step_executions,
    adaptive_adjustments::text AS adaptive_adjustments,
    (extract(epoch FROM completed_at) * 1000000)::bigint AS completed_at, status, error_message,
    extensions::text AS extensions, content_digest,
    (extract(epoch FROM created_at) * 1000000)::bigint AS created_at,
    source_topic, source_partition, source_offset,
    (extract(epoch FROM record_timestamp) * 1000)::bigint AS record_timestamp";

#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) rows: BTreeMap<Uuid, Content>,
    pub(super) history: BTreeMap<(Uuid, Digest), Content>,
    /// `created_at` of the ids that do not carry it.
    pub(super) undated: BTreeMap<Uuid, i64>,
    /// Codes of the open ones.
    pub(super) dead_letters: BTreeMap<Version, String>,
    /// Records that were stored after they had been dead letters.
    pub(super) resolved: usize,
    /// Those of them that a retry stored, and what became of them: no ledger has that.
    pub(super) retried: BTreeMap<String, i64>,
    /// What is wrong whatever was expected.
    pub(super) problems: Vec<String>,
}

/// A content with its rank.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) digest: Digest,
    pub(super) rank: Version,
    pub(super) created_at: i64,
}

impl Stored {
    pub(super) async fn read(client: &Client, topic: &str) -> Result<Self> {
        // One snapshot for all tables.
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let mut stored = Self::default();
        stored.read_rows(client, topic).await?;
        stored.read_history(client, topic).await?;
        stored.read_undated(client).await?;
        stored.read_dead_letters(client, topic).await?;
        client.batch_execute("COMMIT").await?;
        Ok(stored)
    }

    async fn read_rows(&mut self, client: &Client, topic: &str) -> Result<()> {
        let mut canonicalizer = Canonicalizer::default();
        let query = format!("SELECT {CONTENT} FROM workflow_execution_audit");
        each(client, &query, &[], |row| {
            let (id, content) = self.content(&mut canonicalizer, row, topic)?;
            if self.rows.insert(id, content).is_some() {
                self.problems.push(format!("{id} is in the table twice"));
            }
            Ok(())
        })
        .await
    }

    async fn read_history(&mut self, client: &Client, topic: &str) -> Result<()> {
        let mut canonicalizer = Canonicalizer::default();
        let query = format!("SELECT {CONTENT} FROM workflow_execution_audit_history");
        each(client, &query, &[], |row| {
            let (id, content) = self.content(&mut canonicalizer, row, topic)?;
            self.history.insert((id, content.digest), content);
            Ok(())
        })
        .await
    }

    async fn read_undated(&mut self, client: &Client) -> Result<()> {
        let query = "SELECT id, (extract(epoch FROM created_at) * 1000000)::bigint FROM audit_id";
        each(client, query, &[], |row| {
            self.undated.insert(row.try_get(0)?, row.try_get(1)?);
            Ok(())
        })
        .await
    }

    async fn read_dead_letters(&mut self, client: &Client, topic: &str) -> Result<()> {
        let query = "
            SELECT (extract(epoch FROM record_timestamp) * 1000)::bigint, partition, \"offset\", error_code
            FROM audit_dead_letter WHERE topic = $1 AND resolution IS NULL";
        let resolved = "
            SELECT retried_as FROM audit_dead_letter WHERE topic = $1 AND resolution = 'stored'";
        each(client, resolved, &[&topic], |row| {
            self.resolved += 1;
            if let Some(disposition) = row.try_get(0)? {
                *self.retried.entry(disposition).or_default() += 1;
            }
            Ok(())
        })
        .await?;
        each(client, query, &[&topic], |row| {
            let version = Version {
                timestamp_ms: row.try_get(0)?,
                partition: row.try_get(1)?,
                offset: row.try_get(2)?,
            };
            self.dead_letters.insert(version, row.try_get(3)?);
            Ok(())
        })
        .await
    }

    /// Reads a row and takes the digest of its columns anew: it must be the one that is stored.
    fn content(
        &mut self,
        canonicalizer: &mut Canonicalizer,
        row: &Row,
        topic: &str,
    ) -> Result<(Uuid, Content)> {
        let id: Uuid = row.try_get("id")?;
        let digest = Digest::from_bytes(row.try_get("content_digest")?).context("32 bytes")?;
        let recomputed = digest::of_row(canonicalizer, id, &columns(row)?)?;
        if recomputed != digest {
            self.problems.push(format!("{id} has digest {digest}, its columns have {recomputed}"));
        }
        let source: &str = row.try_get("source_topic")?;
        ensure!(source == topic, "{id} comes from topic {source}");
        let rank = Version {
            timestamp_ms: row.try_get("record_timestamp")?,
            partition: row.try_get("source_partition")?,
            offset: row.try_get("source_offset")?,
        };
        Ok((id, Content { digest, rank, created_at: row.try_get("created_at")? }))
    }
}

fn columns(row: &Row) -> Result<Columns<'_>> {
    Ok(Columns {
        remediation_id: row.try_get("remediation_id")?,
        workflow_name: row.try_get("workflow_name")?,
        workflow_version: row.try_get("workflow_version")?,
        total_steps: row.try_get("total_steps")?,
        steps_completed: row.try_get("steps_completed")?,
        steps_failed: row.try_get("steps_failed")?,
        total_duration: row.try_get("total_duration")?,
        outcome: row.try_get("outcome")?,
        effectiveness_score: row.try_get("effectiveness_score")?,
        rollbacks_performed: row.try_get("rollbacks_performed")?,
        step_executions: row.try_get("step_executions")?,
        adaptive_adjustments: row.try_get("adaptive_adjustments")?,
        completed_at: row.try_get("completed_at")?,
        status: row.try_get("status")?,
        error_message: row.try_get("error_message")?,
        extensions: row.try_get("extensions")?,
    })
}

/// Calls `take` for each row as it arrives, so that a large table is never held as a whole.
async fn each(
    client: &Client,
    query: &str,
    parameters: &[&(dyn ToSql + Sync)],
    mut take: impl FnMut(&Row) -> Result<()>,
) -> Result<()> {
    let rows = client.query_raw(query, parameters.iter().copied()).await?;
    pin_mut!(rows);
    while let Some(row) = rows.try_next().await? {
        take(&row)?;
    }
    Ok(())
}
