//! What a database must hold after a measurement.

use anyhow::{Result, ensure};
use audit_consumer::batch::COLUMNS;
use audit_tests::oracle::Counts;
use tokio_postgres::Client;

/// Everything that one topic has come to, by way of one stream.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) topic: String,
    /// The stream, which is the consumer group.
    pub(crate) group: String,
    /// The stream's whole ledger.
    pub(crate) ledger: Counts,
    /// Rows that are not from the topic and stay as they are.
    pub(crate) others: u64,
    rows: String,
    history: String,
    /// Contents in history, dead letters, ids with an entry of their own.
    beside: [i64; 3],
}

impl Account {
    /// Takes down what the topic's rows, once verified, are. The ledger is what the stream must write when it is
    /// measured.
    pub(crate) async fn take(
        client: &Client,
        topic: &str,
        group: String,
        ledger: Counts,
    ) -> Result<Self> {
        Ok(Self {
            topic: topic.to_owned(),
            group,
            ledger,
            others: 0,
            rows: checksum(client, "workflow_execution_audit", topic).await?.0,
            history: checksum(client, "workflow_execution_audit_history", topic).await?.0,
            beside: beside(client).await?,
        })
    }

    /// Checks that the table holds the topic's rows, the others, and nothing else; when they were ingested is left out.
    pub(crate) async fn check_rows(&self, client: &Client) -> Result<()> {
        let (rows, others) = checksum(client, "workflow_execution_audit", &self.topic).await?;
        ensure!(
            rows == self.rows,
            "other rows are stored: checksum {rows} instead of {}",
            self.rows
        );
        ensure!(others == self.others, "{others} rows of others instead of {}", self.others);
        Ok(())
    }

    /// Checks the rows, history, dead letters, and that the ledger says of every offset what became of it.
    pub(crate) async fn check(&self, client: &Client) -> Result<()> {
        self.check_rows(client).await?;
        let (history, _) =
            checksum(client, "workflow_execution_audit_history", &self.topic).await?;
        ensure!(
            history == self.history,
            "other contents are in history: checksum {history} instead of {}",
            self.history
        );
        let beside = beside(client).await?;
        ensure!(
            beside == self.beside,
            "history, dead letters and ids are {beside:?} instead of {:?}",
            self.beside
        );
        let ledger = self.ledger(client).await?;
        ensure!(ledger == self.ledger, "the ledger says {ledger:?} instead of {:?}", self.ledger);
        Ok(())
    }

    async fn ledger(&self, client: &Client) -> Result<Counts> {
        let sql = "SELECT sum(stored)::bigint, sum(duplicate)::bigint, sum(superseding)::bigint, sum(late)::bigint,
            sum(dead_lettered)::bigint, sum(expired)::bigint, sum(gap)::bigint, sum(lost)::bigint,
            (SELECT sum(next_offset - start_offset)::bigint FROM audit_stream WHERE stream = $1)
            FROM audit_batch WHERE stream = $1";
        let row = client.query_one(sql, &[&self.group]).await?;
        let counts = Counts {
            stored: row.try_get(0)?,
            duplicate: row.try_get(1)?,
            superseding: row.try_get(2)?,
            late: row.try_get(3)?,
            dead_lettered: row.try_get(4)?,
            expired: row.try_get(5)?,
            gap: row.try_get(6)?,
            lost: row.try_get(7)?,
        };
        let passed: i64 = row.try_get(8)?;
        ensure!(
            passed == counts.offsets(),
            "the stream has passed {passed} offsets, not {counts:?}"
        );
        Ok(counts)
    }
}

/// Of the topic's rows; and how many the table has of others.
async fn checksum(client: &Client, table: &str, topic: &str) -> Result<(String, u64)> {
    let sql = format!(
        "SELECT coalesce(sum(hashtextextended(ROW({COLUMNS})::text, 0)) FILTER (WHERE source_topic = $1), 0)::text,
         count(*) FILTER (WHERE source_topic <> $1) FROM {table}"
    );
    let row = client.query_one(&sql, &[&topic]).await?;
    let others: i64 = row.try_get(1)?;
    Ok((row.try_get(0)?, others.try_into()?))
}

async fn beside(client: &Client) -> Result<[i64; 3]> {
    let sql = "SELECT (SELECT count(*) FROM workflow_execution_audit_history),
        (SELECT count(*) FROM audit_dead_letter), (SELECT count(*) FROM audit_id)";
    let row = client.query_one(sql, &[]).await?;
    Ok([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?])
}
