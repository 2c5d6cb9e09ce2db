//! Rows of other events, so that a table is as large as after months.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use futures_util::future::try_join_all;

use crate::{events::LATEST, stage::Stage};

/// Rows of one statement.
const CHUNK: u32 = 250_000;
/// Statements between two checkpoints: the log of all would take more disk than the table.
const CHUNKS_PER_CHECKPOINT: u32 = 10;
/// Sessions that insert at once.
const SESSIONS: usize = 2;

/// Small rows of the two weeks up to the latest event, all in its partition, in the order of time but for an hour, as
/// workflows end. Ids are as the controller's, the time and then random bits; the other indexed columns are as spread
/// as those of real events.
const INSERT: &str = "
WITH numbers AS (
    SELECT n, md5(n::text) AS random, hashint4(n) & 4194303 AS milliseconds_late,
        $4::bigint - 1209600 + n::bigint * 1209600 / $3::bigint AS seconds
    FROM generate_series($1::bigint, $2::bigint) AS series (at), CAST(at AS int) AS n
),
ids AS (
    SELECT n, random, (lpad(to_hex(seconds * 1000 - milliseconds_late), 12, '0') || '8a0d'
        || substr('89ab', 1 + n % 4, 1) || substr(random, 9, 15))::uuid AS id
    FROM numbers
)
INSERT INTO workflow_execution_audit (id, created_at, remediation_id, workflow_name, workflow_version, total_steps,
    steps_completed, outcome, content_digest, source_topic, source_partition, source_offset,
    record_timestamp)
SELECT id, at, 'remediation-' || name || '-' || substr(random, 1, 8), name, 'v1.0.0', 5,
    5, CASE n % 8 WHEN 0 THEN 'failed' ELSE 'success' END, decode(random || random, 'hex'),
    'filler', n % 12, n / 12, at
FROM ids, audit_id_time(id) AS at, CAST(($5::text[])[1 + n % cardinality($5)] AS text) AS name";

/// Inserts so many rows whose workflows have these names.
pub(crate) async fn fill(stage: &Stage, database: &str, rows: u32, names: &[String]) -> Result<()> {
    let next = AtomicU32::new(0);
    let sessions = (0..SESSIONS).map(async |_| {
        let client = stage.postgres.connect(database).await?;
        let statement = client.prepare(INSERT).await?;
        loop {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            let from = chunk * CHUNK;
            if from >= rows {
                return anyhow::Ok(());
            }
            let until = rows.min(from + CHUNK);
            let [first, last, all] = [from + 1, until, rows].map(i64::from);
            client.execute(&statement, &[&first, &last, &all, &LATEST, &names]).await?;
            if chunk % CHUNKS_PER_CHECKPOINT == CHUNKS_PER_CHECKPOINT - 1 {
                client.batch_execute("CHECKPOINT").await?;
            }
        }
    });
    try_join_all(sessions).await?;
    let client = stage.postgres.connect(database).await?;
    client.batch_execute("VACUUM (ANALYZE) workflow_execution_audit").await?;
    Ok(client.batch_execute("CHECKPOINT").await?)
}
