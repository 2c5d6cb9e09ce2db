//! Whether every event arrived once: by the ledger's arithmetic, by the acknowledgements, and row by
//! row.

use anyhow::Result;
use audit_schema::topic::TOPIC;
use audit_tests::{
    gateway::lost,
    oracle::{Expected, Summary},
};

use crate::{
    publish::Published,
    stage::{GROUP, Stage},
};

pub(crate) struct Proof {
    /// The ledger of each partition.
    pub(crate) ledger: Vec<Account>,
    /// Records in the topic when it was read again.
    pub(crate) records: usize,
    /// Acknowledged, and not in the topic.
    pub(crate) lost: usize,
    /// Whether as many records are in the topic as were acknowledged.
    pub(crate) nothing_else: bool,
    /// What was compared, or each difference.
    pub(crate) comparison: Result<Summary>,
    /// Up to when the database is complete, by its own word.
    pub(crate) complete_up_to: Option<String>,
}

/// What became of a partition's offsets.
pub(crate) struct Account {
    pub(crate) partition: i32,
    /// As the broker says.
    pub(crate) start: i64,
    /// As the broker says: the offset of the next record.
    pub(crate) end: i64,
    pub(crate) stored: i64,
    pub(crate) duplicate: i64,
    pub(crate) superseding: i64,
    pub(crate) late: i64,
    pub(crate) dead_lettered: i64,
    /// Expired, gaps, and given up: none is expected here.
    pub(crate) other: i64,
}

impl Account {
    pub(crate) fn sum(&self) -> i64 {
        self.stored
            + self.duplicate
            + self.superseding
            + self.late
            + self.dead_lettered
            + self.other
    }

    pub(crate) fn balances(&self) -> bool {
        self.sum() == self.end - self.start
    }
}

impl Proof {
    pub(crate) async fn of(stage: &Stage, published: &Published) -> Result<Self> {
        let records = stage.kafka.read_all(TOPIC).await?;
        let comparison = stage.oracle().verify_against(&Expected::of(&records)).await;
        Ok(Self {
            ledger: accounts(stage).await?,
            records: records.len(),
            lost: lost(&published.acknowledged, &records).len(),
            nothing_else: records.len() == published.total(),
            comparison,
            complete_up_to: complete_up_to(stage).await?,
        })
    }

    pub(crate) fn every_offset_is_accounted_for(&self) -> bool {
        !self.ledger.is_empty() && self.ledger.iter().all(Account::balances)
    }

    pub(crate) fn holds(&self) -> bool {
        self.every_offset_is_accounted_for()
            && self.lost == 0
            && self.nothing_else
            && self.comparison.is_ok()
    }
}

async fn accounts(stage: &Stage) -> Result<Vec<Account>> {
    let sql = "
        SELECT sum(stored)::bigint, sum(duplicate)::bigint, sum(superseding)::bigint, sum(late)::bigint,
            sum(dead_lettered)::bigint, sum(expired + gap + lost)::bigint
        FROM audit_batch WHERE stream = $1 AND topic = $2 AND partition = $3";
    let database = stage.database().await?;
    let mut accounts = Vec::new();
    for partition in 0..stage.kafka.partitions(TOPIC).await? {
        let (start, end) = stage.kafka.watermarks(TOPIC, partition).await?;
        let row = database.query_one(sql, &[&GROUP, &TOPIC, &partition]).await?;
        let sum = |column: usize| anyhow::Ok(row.try_get::<_, Option<i64>>(column)?.unwrap_or(0));
        accounts.push(Account {
            partition,
            start,
            end,
            stored: sum(0)?,
            duplicate: sum(1)?,
            superseding: sum(2)?,
            late: sum(3)?,
            dead_lettered: sum(4)?,
            other: sum(5)?,
        });
    }
    Ok(accounts)
}

async fn complete_up_to(stage: &Stage) -> Result<Option<String>> {
    let sql = "
        SELECT to_char(complete_up_to AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
        FROM audit_completeness WHERE stream = $1 AND topic = $2 AND partition IS NULL";
    let row = stage.database().await?.query_opt(sql, &[&GROUP, &TOPIC]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
}
