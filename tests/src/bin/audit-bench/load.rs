//! A filled topic, the database it is to be drained into, and what must come of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use audit_tests::{
    oracle::Counts,
    pipeline::{Pipeline, Servers},
};
use tokio_postgres::Client;

use crate::{
    account::Account,
    consumer::drain,
    events::{Mixture, Published, publish},
    filler::fill,
    rows::Rows,
    stage::Stage,
};

const TABLES: &str = "workflow_execution_audit, workflow_execution_audit_history, audit_id, audit_dead_letter, \
    audit_batch, audit_stream";
/// Lanes where nothing is measured.
const LANES: u16 = 2;
/// How long the oracle waits for what is there already.
const SETTLED: Duration = Duration::from_secs(60);

/// How to make a load.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Of the topic and its databases.
    pub(crate) name: String,
    pub(crate) partitions: i32,
    /// How many are to be written when it is measured.
    pub(crate) records: u32,
    pub(crate) mixture: Mixture,
    pub(crate) before: Before,
}

/// What is there when a measurement begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// Tables and partitions.
    Nothing,
    /// Everything, by way of another stream.
    TheSame,
    /// Another content of every id, by way of the same stream.
    OtherContents,
    /// So many rows of other ids.
    Rows(u32),
}

/// What is measured.
pub(crate) struct Load {
    pub(crate) topic: String,
    pub(crate) records: u32,
    /// The sum of the records' values, in bytes.
    pub(crate) bytes: usize,
    /// The rows that it comes to.
    pub(crate) rows: Rows,
    pub(crate) account: Account,
    /// The database that the consumer writes copies of.
    pub(crate) template: String,
    /// The database that raw COPY writes copies of: the rows are not in it.
    pub(crate) without: String,
}

impl Load {
    /// Fills the topic, stores it once, and has the oracle compare every record with what is stored.
    pub(crate) async fn prepare(stage: &Stage, plan: &Plan) -> Result<Self> {
        let Plan { ref name, records, before, mixture, .. } = *plan;
        stage.create_topic(name, plan.partitions).await?;
        let pipeline = Pipeline {
            servers: Servers { kafka: &stage.kafka, postgres: &stage.postgres },
            topic: name.clone(),
            database: name.clone(),
            database_url: stage.postgres.create_database(name).await?,
            group: name.clone(),
        };
        pipeline.command("migrate").run().await?.success()?;

        let mut template = name.clone();
        let mut ledger = Counts::default();
        if before == Before::OtherContents {
            let first = Mixture { contradicting: false, ..mixture };
            ledger = publish(stage, name, &first, records).await?.counts;
            drain(stage, name, name, name, LANES, ledger.offsets()).await?;
            template = format!("{name}-before");
            stage.copy_database(name, &template).await?;
        }
        let Published { bytes, counts } = publish(stage, name, &mixture, records).await?;
        ledger.add(&counts);
        drain(stage, name, name, name, LANES, ledger.offsets()).await?;
        let found = pipeline.oracle().verify(SETTLED).await?;
        ensure!(found.ledger == ledger, "the ledger says {:?} instead of {ledger:?}", found.ledger);

        let mut group = name.clone();
        if before == Before::TheSame {
            template = format!("{name}-before");
            stage.copy_database(name, &template).await?;
            group = format!("{name}-again");
            ledger = Counts { duplicate: ledger.records(), ..Counts::default() };
        }
        let client = stage.postgres.connect(name).await?;
        let rows = Rows::read(&client).await?;
        let mut account = Account::take(&client, name, group, ledger).await?;
        let names = workflow_names(&client).await?;
        client.batch_execute(&format!("TRUNCATE {TABLES}")).await?;
        if let Before::Rows(count) = before {
            fill(stage, name, count, &names).await.context("fill the table")?;
            account.others = count.into();
        }
        Ok(Self {
            topic: name.clone(),
            records,
            bytes,
            rows,
            account,
            template,
            without: name.clone(),
        })
    }

    /// The average size of a record's value, in bytes.
    pub(crate) fn event_bytes(&self) -> usize {
        self.bytes / usize::try_from(self.records).unwrap_or(1).max(1)
    }
}

async fn workflow_names(client: &Client) -> Result<Vec<String>> {
    let sql = "SELECT array_agg(DISTINCT workflow_name::text) FROM workflow_execution_audit";
    Ok(client.query_one(sql, &[]).await?.try_get(0)?)
}
