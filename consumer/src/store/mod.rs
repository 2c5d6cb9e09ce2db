//! Writes a batch in one transaction: rows, history, dead letters, ledger and position, all or nothing.

mod account;
mod copy;
mod dead_letters;
mod failure;
mod group;
mod ids;
mod insert;
mod isolate;
mod known;
mod outlook;
mod retry;
mod rows;
mod settle;
mod staging;

use std::sync::Arc;
use std::time::Instant;

use audit_schema::problem::Code;
use audit_schema::version::Disposition;
use deadpool_postgres::Client;
use tokio_postgres::Error;
use tracing::warn;

use crate::batch::Batch;
use crate::metrics::Metrics;

pub use account::Counts;
pub use failure::Failure;
pub use outlook::Outlook;

/// The first statements of every transaction.
///
/// The lock is what the COPY will need: taken first, it can never be waited for while something weaker is held.
/// The planner settings hold the lookups to the primary key: prepared on an empty table they would stay
/// sequential scans for the life of the session, and for one row a bitmap costs a sixth more than the index. The
/// staging table has nothing but the scan, at a price now at which the server would compile the plan first, for
/// seconds each time: no JIT.
const PROLOGUE: &str = "LOCK TABLE ONLY workflow_execution_audit IN ROW EXCLUSIVE MODE; \
    SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
    SET LOCAL enable_bitmapscan = off; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL jit = off; \
    SET LOCAL client_min_messages = warning";

/// Writes batches of one stream and topic.
#[derive(Clone)]
pub struct Store {
    /// Stream name.
    pub stream: Arc<str>,
    /// Topic.
    pub topic: Arc<str>,
    /// Where stages are timed.
    pub metrics: Metrics,
}

/// What a committed batch did.
#[derive(Debug, Default)]
pub struct Written {
    /// What became of each row, by position in [`Batch::rows`].
    pub dispositions: Vec<Option<Disposition>>,
    /// The sums over all partitions.
    pub counts: Counts,
}

impl Store {
    /// Writes the batch.
    ///
    /// `attempted` is what the last attempt did that came as far as its COMMIT, which may have succeeded without our
    /// knowing: then the position in the database decides. `outlook` is the lane's own, from batch to batch.
    ///
    /// # Errors
    /// [`Failure`]; nothing of the batch is in the database then, unless only the answer to the COMMIT was lost.
    pub async fn write(
        &self,
        client: &mut Client,
        batch: &mut Batch,
        attempted: &mut Option<Written>,
        outlook: &mut Outlook,
    ) -> Result<Written, Failure> {
        let started = Instant::now();
        let mut transaction = client.transaction().await?;
        transaction.batch_execute(PROLOGUE).await?;
        if let Some(written) = attempted
            && account::is_committed(&transaction, self, &batch.spans).await?
        {
            return Ok(std::mem::take(written));
        }
        let all: Vec<usize> = (0..batch.rows.len()).collect();
        let dispositions = rows::write(&mut transaction, batch, &all, outlook).await?;
        let repeated = dead_letters::write(&transaction, self, batch).await?;
        dead_letters::resolve_stored(&transaction, self, batch).await?;
        let counts = account::count(batch, &dispositions, &repeated);
        account::advance(&transaction, self, &batch.spans, &counts).await?;
        self.metrics.stage("write", started.elapsed());
        let committing = Instant::now();
        let written = attempted.insert(Written { dispositions, counts: counts.iter().sum() });
        transaction.commit().await?;
        self.metrics.stage("commit", committing.elapsed());
        Ok(std::mem::take(written))
    }

    /// Makes dead letters of the rows that the database refuses even when each is written alone.
    ///
    /// # Errors
    /// A failure that is not about the data; or the refusal itself, if no row alone is to blame for it.
    pub async fn isolate(
        &self,
        client: &mut Client,
        batch: &mut Batch,
        refusal: Error,
    ) -> Result<(), Failure> {
        let mut transaction = client.transaction().await?;
        transaction.batch_execute(PROLOGUE).await?;
        let mut refused = isolate::refused_rows(&mut transaction, batch).await?;
        transaction.rollback().await?;
        if refused.is_empty() {
            return Err(Failure::Data(refusal));
        }
        // From the back, so that positions stay good while rows are taken out.
        refused.sort_unstable_by_key(|refused| std::cmp::Reverse(refused.row));
        for row in refused {
            warn!("a record becomes a dead letter: {}", row.text);
            batch.reject(row.row, Code::DatabaseRejected, row.text);
        }
        Ok(())
    }
}
