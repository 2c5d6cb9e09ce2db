//! The replays there are, as the database has them.

use audit_runtime::format::Rows;
use tokio_postgres::Client;

use crate::database::{self, describe};

/// Somebody works on a replay while a session that wrote for it is there. Another user's session does not show since
/// when it is there.
const REPLAYS: &str = "\
WITH replay AS (
    SELECT r.name, r.topic, r.begun_at, r.selection, r.stream,
        sum(s.next_offset - s.start_offset)::bigint AS done,
        sum(e.end_offset - s.start_offset)::bigint AS total,
        CASE
            WHEN bool_and(s.next_offset >= e.end_offset) THEN 'finished'
            WHEN count(a.pid) > 0 THEN 'running'
            WHEN count(s.halted) > 0 THEN 'halted'
            ELSE 'stopped'
        END AS state,
        string_agg(s.partition || ': ' || s.halted, '; ' ORDER BY s.partition)
            FILTER (WHERE s.next_offset < e.end_offset) AS halted
    FROM audit_replay r CROSS JOIN unnest(r.partitions, r.end_offsets) AS e (partition, end_offset)
    JOIN audit_stream s ON s.stream = r.stream AND s.topic = r.topic AND s.partition = e.partition
    LEFT JOIN pg_stat_activity a ON a.pid = s.owner_backend_pid
        AND coalesce(a.backend_start = s.owner_backend_start, true)
    WHERE $1::text IS NULL OR r.name = $1
    GROUP BY r.name
)";

const LIST: &str = "\
SELECT name, topic, date_trunc('second', begun_at) AS begun, selection AS range, done, total, state, halted
FROM replay ORDER BY begun_at, name";

const RESULT: &str = "\
SELECT name, state, done, total, b.*
FROM replay r CROSS JOIN LATERAL (
    SELECT coalesce(sum(stored), 0)::bigint AS stored, coalesce(sum(duplicate), 0)::bigint AS duplicate,
        coalesce(sum(superseding), 0)::bigint AS superseding, coalesce(sum(late), 0)::bigint AS late,
        coalesce(sum(dead_lettered), 0)::bigint AS dead_lettered, coalesce(sum(gap), 0)::bigint AS gap
    FROM audit_batch WHERE stream = r.stream AND topic = r.topic
) b";

const STATE: &str = "SELECT state FROM replay";

/// All replays, oldest first.
pub(super) async fn all(client: &Client) -> anyhow::Result<Rows> {
    rows(client, LIST, None).await
}

/// What one replay has done so far.
pub(super) async fn result(client: &Client, name: &str) -> anyhow::Result<Rows> {
    rows(client, RESULT, Some(name)).await
}

/// Whether somebody works on a replay; none if there is no such replay.
pub(super) async fn is_running(client: &Client, name: &str) -> anyhow::Result<Option<bool>> {
    let row = client
        .query_opt(&format!("{REPLAYS} {STATE}"), &[&name])
        .await
        .map_err(|error| unreadable(&error))?;
    Ok(row.map(|row| row.get::<_, &str>(0) == "running"))
}

async fn rows(client: &Client, select: &str, name: Option<&str>) -> anyhow::Result<Rows> {
    let sql = format!("{REPLAYS} {select}");
    database::rows(client, &sql, &[&name]).await.map_err(|error| unreadable(&error))
}

fn unreadable(error: &tokio_postgres::Error) -> anyhow::Error {
    anyhow::anyhow!("cannot read the replays: {}", describe(error))
}
